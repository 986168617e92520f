package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A front end that is told to leave leaves its resumable streams to the others, and ends the rest. */
class LeavingFrontEndTest {
    private static final String COMPLETIONS = "/v1/completions";
    private static final int TOKENS = 300;

    private static final Map<String, Object> SETTINGS = Map.of(
            "troupe.http.enabled",
            true,
            "troupe.http.port",
            0,
            "troupe.http.grace",
            "0s",
            "troupe.http.keys",
            Map.of("team-a", NodeHttp.KEY),
            "troupe.chaos.enabled",
            true,
            "troupe.chaos.unit-delay",
            "2ms");

    private final NodeHttp http = new NodeHttp();

    private static String story(boolean resumable) {
        return """
                {"model": "tales", "prompt": "Once upon a time", "max_tokens": %d, "temperature": 0.8, "seed": 7,
                 "ignore_eos": true, "stream": true, "resumable": %s}""".formatted(TOKENS, resumable);
    }

    @Test
    void leavesResumableStreamsToTheOthersTokenForTokenAndEndsTheRest() throws Exception {
        Path model = Path.of("src", "main", "models", "tales").toAbsolutePath();
        try (TestNodes nodes = new TestNodes(2, SETTINGS)) {
            TroupeNode leaving = nodes.start(model, Map.of());
            TroupeNode staying = nodes.start(model, Map.of());
            String first = leaving.http().orElseThrow();
            String second = staying.http().orElseThrow();
            TestNodes.await("it is ready", () -> http.status(second, "/readyz", NodeHttp.KEY, "GET") == 200);
            List<NodeHttp.Event> undisturbed =
                    http.post(second, COMPLETIONS, story(true)).rest();
            NodeHttp.Reading cut = http.post(first, COMPLETIONS, story(true));
            NodeHttp.Reading other = http.post(first, COMPLETIONS, story(false));
            cut.read(20);
            other.read(20);

            leaving.close();
            List<NodeHttp.Event> before = new ArrayList<>(cut.rest());
            NodeHttp.Event error = before.removeLast();
            List<NodeHttp.Event> after =
                    http.resume(second, cut.generation(), before.size() - 1).rest();

            assertThat(before).hasSizeBetween(20, TOKENS - 20);
            assertThat(error.id()).isEmpty();
            assertThat(error.data()).contains("\"error\"", "shutting_down");
            List<NodeHttp.Event> all = new ArrayList<>(before);
            all.addAll(after);
            NodeHttp.requireNumbered(all, cut.generation());
            assertThat(all).hasSize(TOKENS + 1 + 1);
            assertThat(NodeHttp.content(all)).isEqualTo(NodeHttp.content(undisturbed));
            assertThat(other.rest()).hasSizeLessThan(TOKENS);
            assertThat(other.rest().getLast().data()).contains("\"error\"", "shutting_down");
            leaving.system().getWhenTerminated().toCompletableFuture().join();
            TestNodes.await("nothing runs", () -> http.health(second, "running_sequences") == 0);
        }
    }
}
