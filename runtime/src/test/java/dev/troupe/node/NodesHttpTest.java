package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Every front-end node of a cluster has the HTTP routes. */
class NodesHttpTest {
    private static final Path MODEL = Path.of("src", "main", "models", "tales").toAbsolutePath();

    @Test
    void eachAnswersAlikeOnceTheReplicaIsPlaced() throws Exception {
        Map<String, Object> settings =
                Map.of("troupe.replica.pipeline-parallel", 2, "troupe.http.enabled", true, "troupe.http.port", 0);
        try (TestNodes nodes = new TestNodes(2, settings);
                HttpClient client = HttpClient.newHttpClient()) {
            TroupeNode first = nodes.start(MODEL, Map.of());
            assertThat(send(client, get(first, "/livez")).statusCode()).isEqualTo(200);
            assertThat(send(client, get(first, "/readyz")).statusCode()).isEqualTo(503);
            TroupeNode second = nodes.start(MODEL, Map.of());

            for (TroupeNode node : List.of(first, second)) {
                TestNodes.await(
                        "it is ready", () -> send(client, get(node, "/readyz")).statusCode() == 200);
            }
            String story = text(send(client, story(first)));

            assertThat(story).contains("\"finish_reason\":\"length\"");
            assertThat(text(send(client, story(second)))).isEqualTo(story);
        }
    }

    private static HttpRequest.Builder request(TroupeNode node, String path) {
        return HttpRequest.newBuilder(URI.create("http://" + node.http().orElseThrow() + path))
                .header("Content-Type", "application/json")
                .timeout(Duration.ofMinutes(TestNodes.MINUTES));
    }

    private static HttpRequest get(TroupeNode node, String path) {
        return request(node, path).build();
    }

    private static HttpRequest story(TroupeNode node) {
        return request(node, "/v1/completions")
                .POST(
                        HttpRequest.BodyPublishers.ofString(
                                "{\"model\": \"tales\", \"prompt\": \"Once upon a time\", \"max_tokens\": 20, \"temperature\": 0}"))
                .build();
    }

    private static HttpResponse<String> send(HttpClient client, HttpRequest request) {
        try {
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** The choices, which have neither an id nor a time in them. */
    private static String text(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return response.body().substring(response.body().indexOf("\"choices\""));
    }
}
