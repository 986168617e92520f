package dev.troupe.samples;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.http.HttpServer;
import dev.troupe.node.LocalCluster;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.TroupeNode;
import dev.troupe.weights.LoadProgress;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SamplesTest {
    @FunctionalInterface
    private interface Program {
        void main(String[] arguments) throws Exception;
    }

    @BeforeAll
    static void runsFromTheRepository() {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
    }

    private static String output(Program program, String... arguments) throws Exception {
        PrintStream before = System.out;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            program.main(arguments);
        } finally {
            System.setOut(before);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aSingleNodeTellsAStory() throws Exception {
        assertThat(output(SingleNodeStory::main)).hasSizeGreaterThan(100).contains("Lily");
    }

    @Test
    void aPipelineStreamsAStory() throws Exception {
        assertThat(output(TwoStagePipeline::main)).contains("[").hasSizeGreaterThan(150);
    }

    @Test
    void anyNumberOfRanksGivesTheSameBits() throws Exception {
        assertThat(output(TensorParallelOnOneMachine::main))
                .contains("1 ranks", "2 ranks", "3 ranks", "4 ranks", "identical")
                .doesNotContain("DIFFERENT");
    }

    @Test
    void langChainStreamsCallsAToolReadsARecordAndEmbeds() throws Exception {
        String report = output(LangChainStories::main);

        assertThat(report).startsWith("story: He liked to play with his ball. He had a red ball.");
        assertThat(report.lines())
                .anyMatch(line -> line.matches("tool: feed (CAT|DOG|BIRD)"))
                .anyMatch(line -> line.matches("keeper: .+"))
                .anyMatch(line -> line.matches(
                        "Summary\\[hero=(CAT|DOG|BIRD), feeling=(HAPPY|SAD|AFRAID), endsWell=(true|false)]"))
                .last()
                .isEqualTo("embeddings: 0.714 with a park, 0.418 with a cake");
    }

    @Test
    void langChainGetsTheSameFromASplitModelAtAUrl() throws Exception {
        Map<String, ?> settings = Map.of(
                "troupe.models",
                Map.of("tales", "tales"),
                "troupe.replica.pipeline-parallel",
                2,
                "troupe.replica.tensor-parallel",
                2,
                "troupe.device.threads",
                1,
                "troupe.http.enabled",
                true,
                "troupe.http.port",
                0);
        try (HttpServer server =
                LocalTroupe.serve(NodeConfig.of(ConfigFactory.parseMap(settings)), LoadProgress.NONE)) {
            String split = output(LangChainStories::main, server.url() + "/v1");

            assertThat(split).isEqualTo(output(LangChainStories::main)).contains("story: ", "tool: ", "embeddings: ");
        }
    }

    @Test
    void langChainStoriesSayHowTheyAreUsed() throws Exception {
        assertThat(output(LangChainStories::main, "--help"))
                .contains("LangChainStories [URL]", "http://127.0.0.1:8000/v1", "TROUPE_API_KEY")
                .doesNotContain("story:");
    }

    @Test
    void anActorSystemOfOnesOwnAsksANode() throws Exception {
        int port = freePort();
        NodeConfig config = NodeConfig.load(
                Path.of("../cluster-config/local.conf"),
                Map.of("troupe.node.port", port, "troupe.wire.lane-port", 0, "troupe.device.threads", 1));
        TroupeNode node = TroupeNode.start(config, LoadProgress.NONE);
        try {
            node.whenComplete().toCompletableFuture().get(3, TimeUnit.MINUTES);

            String story = output(OwnActorSystemClient::main, "127.0.0.1:" + port);

            assertThat(story.strip()).hasSizeGreaterThan(40).doesNotContain("model", "failed");
        } finally {
            node.close();
            node.system().getWhenTerminated().toCompletableFuture().get(1, TimeUnit.MINUTES);
        }
    }

    @Test
    void aStoryDoesNotChangeWhenANodeIsKilled() throws Exception {
        Map<String, Object> settings = Map.of(
                "troupe.models",
                Map.of("tales", "tales"),
                "troupe.replica.pipeline-parallel",
                2,
                "troupe.device.threads",
                1,
                "troupe.chaos.enabled",
                true,
                "troupe.chaos.unit-delay",
                "1ms");
        try (LocalCluster cluster = LocalCluster.start(3, settings);
                Troupe troupe = cluster.connect()) {
            cluster.awaitReady(troupe);

            String report = output(ChaosClient::main, cluster.address());

            assertThat(report).contains("killed 127.0.0.", "identical").doesNotContain("DIFFERENT");
            assertThat(cluster.processes()).anyMatch(process -> !process.isAlive());
        }
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
