package dev.troupe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.troupe.cluster.identity.NodeRole;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The ready configurations in {@code cluster-config}. */
class ClusterConfigFilesTest {
    private static final String SHARED_PART = "three-seeds.conf";

    @Test
    void areAllReadAndBindToLoopbackOrHaveTls() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(folder())) {
            files = all.filter(file -> file.toString().endsWith(".conf") && !file.endsWith(SHARED_PART))
                    .toList();
        }

        assertThat(files).hasSizeGreaterThanOrEqualTo(5);
        for (Path file : files) {
            NodeConfig config = NodeConfig.load(file);
            assertThatCode(() -> BindGuard.require(config.node(), config.wire()))
                    .as(file.toString())
                    .doesNotThrowAnyException();
            assertThat(config.models()).containsEntry("tales", "tales");
        }
    }

    @Test
    void makeOneClusterOfThreeSeeds() {
        List<NodeConfig> nodes = IntStream.rangeClosed(1, 3)
                .mapToObj(i -> NodeConfig.load(folder().resolve("seed-%d.conf".formatted(i))))
                .toList();

        assertThat(nodes)
                .extracting(node -> node.cluster().seedNodes())
                .containsOnly(List.of(
                        new SeedNode("127.0.0.1", 25520),
                        new SeedNode("127.0.0.2", 25520),
                        new SeedNode("127.0.0.3", 25520)));
        assertThat(nodes)
                .extracting(node -> new SeedNode(node.node().host(), node.node().port()))
                .containsExactlyElementsOf(nodes.getFirst().cluster().seedNodes());
        assertThat(nodes).extracting(node -> node.node().name()).containsExactly("seed-1", "seed-2", "seed-3");
        assertThat(nodes).allSatisfy(node -> {
            assertThat(node.cluster().nodes()).isEqualTo(3);
            assertThat(node.replica()).isEqualTo(new ReplicaConfig("tales", 2, 2));
            assertThat(node.node().roles()).containsExactly(NodeRole.CONTROL, NodeRole.FRONTEND, NodeRole.COMPUTE);
            assertThat(node.wire().lanePort()).isEqualTo(25521);
        });
    }

    @Test
    void showTlsOnMachinesOfTheirOwn() {
        NodeConfig config = NodeConfig.load(folder().resolve("machines.conf"));

        assertThat(config.node().host()).isEqualTo("10.0.0.1");
        assertThat(config.wire().tls().orElseThrow().key()).isEqualTo(Path.of("certs", "10.0.0.1-key.pem"));
        assertThat(config.cluster().nodes()).isEqualTo(3);
    }

    @Test
    void letFiveVotersLoseTwo() {
        NodeConfig config = NodeConfig.load(folder().resolve("five.conf"));

        assertThat(config.cluster().nodes()).isEqualTo(5);
        assertThat(config.cluster().quorum()).hasValue(3);
        assertThat(config.cluster().stableAfter()).isEqualTo(Duration.ofSeconds(10));
    }

    @Test
    void letNodesThatOnlyComputeComeAndGo() {
        NodeConfig voter = NodeConfig.load(folder().resolve("many.conf"));
        NodeConfig other = NodeConfig.load(folder().resolve("many-compute.conf"));

        assertThat(voter.node().roles()).containsExactly(NodeRole.CONTROL, NodeRole.FRONTEND);
        assertThat(other.node().roles()).containsExactly(NodeRole.COMPUTE);
        assertThat(other.cluster()).isEqualTo(voter.cluster());
        assertThat(other.replica()).isEqualTo(voter.replica());
        assertThat(other.cluster().seedNodes())
                .hasSize(5)
                .doesNotContain(new SeedNode(other.node().host(), 25520));
        assertThat(other.cluster().quorum()).isEmpty();
        assertThat(other.cluster().stableAfter()).isEqualTo(Duration.ofSeconds(20));
    }

    /** Tests run in their module's directory. */
    private static Path folder() {
        Path here = Path.of("").toAbsolutePath();
        Path root = Files.isDirectory(here.resolve("cluster-config")) ? here : here.resolve("..");
        return root.resolve("cluster-config").normalize();
    }
}
