package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.client.Troupe;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A resumable stream goes on at another front end than the one that was asked. */
class ResumedElsewhereTest {
    private static final String COMPLETIONS = "/v1/completions";
    private static final String CHAT = "/v1/chat/completions";
    private static final String KEY = NodeHttp.KEY;
    private static final String OTHER_KEY = NodeHttp.OTHER_KEY;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path MODEL = Path.of("src", "main", "models", "tales").toAbsolutePath();

    /** Two sampled choices with log-probabilities and a stop text that does not come. */
    private static final String TWO_STORIES = """
            {"model": "tales", "prompt": "Once upon a time", "max_tokens": 90, "temperature": 0.8, "seed": 7, "n": 2,
             "logprobs": 2, "stop": ["~~~"], "ignore_eos": true, "stream": true, "resumable": true, "priority": -3,
             "stream_options": {"include_usage": false}}""";

    /** Its seed is drawn by the server. */
    private static final String DRAWN = """
            {"model": "tales", "messages": [{"role": "user", "content": "Tell me a story"}], "max_completion_tokens": 200,
             "ignore_eos": true, "stream": true, "resumable": true}""";

    private final NodeHttp http = new NodeHttp();

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** Three processes, the first of which owns the stream, schedules it and computes it. */
    private static List<String> configurations(Path directory, int http) throws IOException {
        int port = freePort();
        List<String> files = new ArrayList<>();
        for (int n = 1; n <= 3; n++) {
            String file = "node-%d.conf".formatted(n);
            Files.writeString(directory.resolve(file), """
                    troupe {
                      models { tales = "%s" }
                      node { host = "127.0.0.%d", port = %d, name = node-%d }
                      cluster { nodes = 3, seed-nodes = ["127.0.0.1:%d", "127.0.0.2:%d", "127.0.0.3:%d"] }
                      wire.lane-port = 0
                      device { threads = 1, kernels = reference }
                      chaos { enabled = on, unit-delay = 2ms }
                      http { enabled = on, host = "127.0.0.%d", port = %d, keys { team-a = "%s", team-b = "%s" } }
                    }
                    """.formatted(
                            MODEL, n, port, n, port, port, port, n, http, KEY, OTHER_KEY));
            files.add(file);
        }
        return files;
    }

    @Test
    void goesOnEventForEventWhenTheFrontEndThatWasAskedIsKilled(@TempDir Path directory) throws Exception {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
        int port = freePort();
        try (LocalCluster cluster = LocalCluster.startSeeds(directory, configurations(directory, port));
                Troupe troupe = cluster.connect()) {
            cluster.awaitReady(troupe);
            String first = "127.0.0.1:" + port;
            String second = "127.0.0.2:" + port;
            TestNodes.await("it is ready", () -> http.status(second, "/readyz", KEY, "GET") == 200);
            List<NodeHttp.Event> undisturbed =
                    http.post(second, COMPLETIONS, TWO_STORIES).rest();
            assertThat(undisturbed).hasSize(2 * 90 + 2 + 1);
            NodeProcess victim = cluster.processes().getFirst();

            NodeHttp.Reading cut = http.post(first, COMPLETIONS, TWO_STORIES);
            cut.read(30);
            victim.kill();
            List<NodeHttp.Event> before = cut.rest();
            List<NodeHttp.Event> after =
                    http.resume(second, cut.generation(), before.size() - 1).rest();

            assertThat(victim.isAlive()).isFalse();
            assertThat(http.status(first, "/livez", KEY, "GET")).isZero();
            assertThat(before).hasSizeBetween(30, undisturbed.size() - 20);
            List<NodeHttp.Event> all = new ArrayList<>(before);
            all.addAll(after);
            NodeHttp.requireNumbered(all, cut.generation());
            assertThat(NodeHttp.content(all)).isEqualTo(NodeHttp.content(undisturbed));
            // All of it can be had again, at the front end that has it now and at the third.
            assertThat(NodeHttp.content(
                            http.resume(second, cut.generation(), -1).rest()))
                    .isEqualTo(NodeHttp.content(undisturbed));
            assertThat(NodeHttp.content(http.resume("127.0.0.3:" + port, cut.generation(), -1)
                            .rest()))
                    .isEqualTo(NodeHttp.content(undisturbed));
            cluster.processes().forEach(NodeProcess::kill); // nobody needs them to leave
        }
    }

    @Test
    void movesToWhoeverIsAskedAndEndsWhereItWas() throws Exception {
        Map<String, Object> settings = Map.of(
                "troupe.http.enabled",
                true,
                "troupe.http.port",
                0,
                "troupe.http.recordings",
                1,
                "troupe.http.keys",
                Map.of("team-a", KEY, "team-b", OTHER_KEY),
                "troupe.chaos.enabled",
                true,
                "troupe.chaos.unit-delay",
                "2ms");
        try (TestNodes nodes = new TestNodes(2, settings)) {
            TroupeNode a = nodes.start(MODEL, Map.of());
            TroupeNode b = nodes.start(MODEL, Map.of());
            String first = a.http().orElseThrow();
            String second = b.http().orElseThrow();
            TestNodes.await("it is ready", () -> http.status(second, "/readyz", KEY, "GET") == 200);

            goesOnElsewhere(first, second);
            isItsTenantsOwnAndEndsElsewhere(first, second);
            isNotCancelledOnceItHasEnded(first, second);
            isMadeAgainWhereItsRecordingWasDropped(first);
        }
    }

    private void goesOnElsewhere(String first, String second) throws Exception {
        NodeHttp.Reading begun = http.post(first, CHAT, DRAWN);
        List<NodeHttp.Event> before = begun.read(10);
        List<NodeHttp.Event> after = http.resume(second, begun.generation(), 9).rest();

        List<NodeHttp.Event> left = begun.rest();
        List<NodeHttp.Event> all = new ArrayList<>(before);
        all.addAll(after);
        NodeHttp.requireNumbered(all, begun.generation());
        assertThat(all).hasSize(200 + 1 + 1);
        assertThat(all.getLast().data()).isEqualTo("[DONE]");
        assertThat(all.stream()
                        .limit(201)
                        .map(event -> field(event, "/created"))
                        .distinct())
                .hasSize(1);
        assertThat(all.stream().limit(201).map(event -> field(event, "/id")).distinct())
                .containsExactly("chatcmpl-" + begun.generation());
        assertThat(field(left.getLast(), "/error/code")).isEqualTo("superseded");
        assertThat(left.getLast().id())
                .as("the other front end has an event with the next number")
                .isEmpty();
        // And back again, complete as it is.
        assertThat(http.resume(first, begun.generation(), -1).rest()).isEqualTo(all);
    }

    private void isItsTenantsOwnAndEndsElsewhere(String first, String second) throws Exception {
        NodeHttp.Reading begun = http.post(first, CHAT, DRAWN);
        begun.read(5);
        String path = "/v1/generations/" + begun.generation();

        assertThat(http.status(second, path, OTHER_KEY, "GET")).isEqualTo(404);
        assertThat(http.status(second, path, OTHER_KEY, "DELETE")).isEqualTo(404);
        assertThat(http.status(second, "/v1/generations/none", KEY, "GET")).isEqualTo(404);
        assertThat(begun.read(20)).hasSize(20);
        assertThat(http.status(second, path, KEY, "DELETE")).isEqualTo(200);

        List<NodeHttp.Event> all = begun.rest();
        assertThat(all).hasSizeLessThan(200);
        assertThat(all.getLast().data()).contains("\"error\"");
        TestNodes.await("nothing runs", () -> http.health(first, "running_sequences") == 0);
    }

    private void isNotCancelledOnceItHasEnded(String first, String second) throws Exception {
        NodeHttp.Reading begun = http.post(first, CHAT, DRAWN);
        List<NodeHttp.Event> all = begun.rest();
        String path = "/v1/generations/" + begun.generation();

        assertThat(all.getLast().data()).isEqualTo("[DONE]");
        assertThat(http.status(first, path, KEY, "DELETE")).isEqualTo(404);
        assertThat(http.status(second, path, KEY, "DELETE")).isEqualTo(404);
        assertThat(http.resume(second, begun.generation(), -1).rest()).isEqualTo(all);
    }

    private void isMadeAgainWhereItsRecordingWasDropped(String first) throws Exception {
        NodeHttp.Reading dropped = http.post(first, CHAT, DRAWN);
        List<NodeHttp.Event> all = dropped.rest();
        http.post(first, CHAT, DRAWN.replace("200", "2")).rest(); // there is room for one

        assertThat(http.resume(first, dropped.generation(), -1).rest()).isEqualTo(all);
    }

    private static String field(NodeHttp.Event event, String path) {
        try {
            return JSON.readTree(event.data()).at(path).asText();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
