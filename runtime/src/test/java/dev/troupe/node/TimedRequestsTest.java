package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Requests with a priority or a deadline of their own, at a slow node that runs one at a time. */
class TimedRequestsTest {
    private static final String COMPLETIONS = "/v1/completions";
    private static final String STREAM = ", \"stream\": true";
    private static final int LONG = 300;
    private static final Path MODEL = Path.of("src", "main", "models", "tales").toAbsolutePath();
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final NodeHttp HTTP = new NodeHttp();
    private static TestNodes nodes;
    private static String address;

    @BeforeAll
    static void serve() throws Exception {
        nodes = new TestNodes(
                1,
                Map.of(
                        "troupe.http.enabled",
                        true,
                        "troupe.http.port",
                        0,
                        "troupe.http.running",
                        1,
                        "troupe.http.deadline",
                        "5 minutes",
                        "troupe.chaos.enabled",
                        true,
                        "troupe.chaos.unit-delay",
                        "2ms"));
        address = nodes.start(MODEL, Map.of()).http().orElseThrow();
        TestNodes.await("it is ready", () -> HTTP.status(address, "/readyz", NodeHttp.KEY, "GET") == 200);
        awaitIdle();
    }

    @AfterAll
    static void close() {
        nodes.close();
    }

    private static String body(int maxTokens, String more) {
        return ("{\"model\": \"tales\", \"prompt\": \"Once\", \"temperature\": 0.9, \"seed\": 7, \"ignore_eos\": true,"
                        + " \"max_tokens\": %d%s}")
                .formatted(maxTokens, more);
    }

    private static HttpResponse<String> complete(int maxTokens, String more) {
        return HTTP.whole(address, COMPLETIONS, body(maxTokens, more));
    }

    private static void awaitIdle() throws InterruptedException {
        TestNodes.await(
                "nothing runs",
                () -> HTTP.health(address, "running") == 0 && HTTP.health(address, "running_sequences") == 0);
    }

    /** A stream that has the only place. */
    private static NodeHttp.Reading occupy() throws Exception {
        NodeHttp.Reading running = HTTP.post(address, COMPLETIONS, body(LONG, STREAM));
        assertThat(running.read(1)).hasSize(1);
        return running;
    }

    private static CompletableFuture<HttpResponse<String>> later(int maxTokens, String more) throws Exception {
        int before = HTTP.health(address, "waiting");
        CompletableFuture<HttpResponse<String>> answer = CompletableFuture.supplyAsync(() -> complete(maxTokens, more));
        TestNodes.await("it waits", () -> HTTP.health(address, "waiting") == before + 1);
        return answer;
    }

    private static String text(HttpResponse<String> response) {
        return json(response, 200).at("/choices/0/text").asText();
    }

    private static JsonNode json(HttpResponse<String> response, int status) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        return json(response.body());
    }

    private static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void valuesOutOfRangeAreRefusedByName() {
        for (String wrong :
                List.of("\"priority\": 101", "\"priority\": 1.5", "\"deadline\": 0", "\"deadline\": \"5\"")) {
            JsonNode error = json(complete(3, ", " + wrong), 400);

            assertThat(error.at("/error/param").asText()).isEqualTo(wrong.substring(1, wrong.indexOf('"', 1)));
        }
        assertThat(json(complete(3, ", \"deadline\": 301"), 400)
                        .at("/error/message")
                        .asText())
                .isEqualTo("deadline=301, expected a number from 0.001 to 300");
    }

    @Test
    void theMoreUrgentOfTwoThatWaitIsFirstAndBothGetTheTokensOfAnIdleServer() throws Exception {
        String alone = text(complete(30, ""));
        List<String> order = new CopyOnWriteArrayList<>();
        CompletableFuture<HttpResponse<String>> usual;
        CompletableFuture<HttpResponse<String>> urgent;

        try (NodeHttp.Reading running = occupy()) {
            usual = later(30, ", \"priority\": 4");
            urgent = later(30, ", \"priority\": -4");
            assertThat(running.read(2)).hasSize(2);
        }
        CompletableFuture<Void> both = CompletableFuture.allOf(
                usual.thenRun(() -> order.add("usual")), urgent.thenRun(() -> order.add("urgent")));

        both.join();
        assertThat(order).containsExactly("urgent", "usual");
        assertThat(text(urgent.join())).isEqualTo(alone);
        assertThat(text(usual.join())).isEqualTo(alone);
    }

    @Test
    void aDeadlineThatPassesInTheQueueIsAGatewayTimeoutAtOnce() throws Exception {
        try (NodeHttp.Reading _ = occupy()) {
            JsonNode error = json(complete(5, ", \"deadline\": 0.2"), 504);

            assertThat(error.at("/error/code").asText()).isEqualTo("deadline");
            assertThat(HTTP.health(address, "waiting")).isZero();
            assertThat(HTTP.health(address, "running")).as("what it waited for").isEqualTo(1);
        }
        awaitIdle();
    }

    @Test
    void aDeadlineThatPassesInTheMiddleEndsAWholeAnswerWithoutOne() throws Exception {
        JsonNode error = json(complete(LONG, ", \"deadline\": 0.5"), 504);

        assertThat(error.at("/error/type").asText()).isEqualTo("timeout_error");
        assertThat(error.at("/choices").isMissingNode()).isTrue();
        awaitIdle();
    }

    @Test
    void aDeadlineThatPassesInTheMiddleEndsAStreamWithAnErrorAfterTheTokensThatThereAre() throws Exception {
        String whole = text(complete(LONG, ""));
        List<String> texts = List.of();
        // A busy machine may need a longer one to have tokens before it passes.
        for (double deadline = 0.5; texts.isEmpty(); deadline *= 2) {
            HttpResponse<String> response = complete(LONG, STREAM + ", \"deadline\": " + deadline);
            texts = response.statusCode() == 200 ? cut(response.body()) : List.of();
        }

        String text = String.join("", texts);
        assertThat(whole).startsWith(text);
        assertThat(text.length()).isLessThan(whole.length());
        awaitIdle();
    }

    /** The texts of a stream that its deadline has ended. */
    private static List<String> cut(String body) {
        List<String> data = body.lines()
                .filter(line -> line.startsWith("data: "))
                .map(line -> line.substring(6))
                .toList();
        assertThat(data).doesNotContain("[DONE]");
        assertThat(json(data.getLast()).at("/error/code").asText()).isEqualTo("deadline");
        List<String> texts = new ArrayList<>();
        data.subList(0, data.size() - 1)
                .forEach(chunk -> texts.add(json(chunk).at("/choices/0/text").asText()));
        return texts.stream().filter(text -> !text.isEmpty()).toList();
    }
}
