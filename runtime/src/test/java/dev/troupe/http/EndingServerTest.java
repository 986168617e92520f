package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.Done;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A server that ends tells its clients. */
class EndingServerTest {
    private static final int MINUTES = 2;

    private final HeldKernels kernels = new HeldKernels();

    @AfterEach
    void goOn() {
        kernels.release();
    }

    private static HttpRequest stream(Served served, int tokens, String more) {
        return served.request("/v1/completions")
                .POST(HttpRequest.BodyPublishers.ofString(
                        "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": %d, \"ignore_eos\": true, \"stream\": true%s}"
                                .formatted(tokens, more)))
                .build();
    }

    private static BufferedReader reader(Served served, HttpRequest request) throws Exception {
        return new BufferedReader(new InputStreamReader(served.open(request).body(), StandardCharsets.UTF_8));
    }

    private static List<String> data(BufferedReader reader) {
        return Served.data(String.join("\n", reader.lines().toList()));
    }

    private static void await(CompletionStage<Done> ended) throws Exception {
        ended.toCompletableFuture().get(MINUTES, TimeUnit.MINUTES);
    }

    @Test
    void endsStreamsWithAnErrorWhenTheirTimeIsUp() throws Exception {
        for (String more : List.of("", ", \"resumable\": true")) {
            try (Served served = Served.start(Map.of("troupe.http.grace", "0s"), kernels);
                    BufferedReader reader = reader(served, stream(served, 500, more))) {
                assertThat(reader.readLine()).startsWith("id: ");
                kernels.hold();

                await(served.server().end());

                kernels.release();
                List<String> data = data(reader);
                assertThat(data).hasSizeLessThan(500).doesNotContain("[DONE]");
                assertThat(data.getLast()).contains("\"error\"", "shutting_down", "this server is ending");
            }
        }
    }

    @Test
    void letsAnswersEndByThemselvesWithinTheirTimeAndTakesNoNewOnes() throws Exception {
        try (Served served = Served.start(Map.of("troupe.http.grace", "30s", "troupe.http.running", 1), kernels);
                BufferedReader reader = reader(served, stream(served, 400, ""))) {
            assertThat(reader.readLine()).startsWith("id: ");
            kernels.hold();
            CompletableFuture<HttpResponse<String>> waits = CompletableFuture.supplyAsync(() -> {
                try {
                    return served.send(stream(served, 400, ""));
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            Served.await("the other waits", () -> isWaiting(served));

            CompletionStage<Done> ended = served.server().end();

            HttpResponse<String> refused = waits.get(MINUTES, TimeUnit.MINUTES);
            assertThat(refused.statusCode()).isEqualTo(503);
            assertThat(refused.headers().firstValue("Retry-After")).isPresent();
            assertThat(refused.body()).contains("shutting_down");
            kernels.release();
            assertThat(data(reader)).hasSize(400 + 2).endsWith("[DONE]");
            await(ended);
            assertThatThrownBy(() -> served.get("/livez")).isInstanceOf(IOException.class);
        }
    }

    private static boolean isWaiting(Served served) {
        try {
            return Served.json(served.get("/health")).path("waiting").intValue() == 1;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void answersThatAreWholeGetAnErrorToo() throws Exception {
        try (Served served = Served.start(Map.of("troupe.http.grace", "0s"), kernels)) {
            await(served.server().whenWarm());
            kernels.hold();
            CompletableFuture<HttpResponse<String>> whole = CompletableFuture.supplyAsync(() -> {
                try {
                    return served.post(
                            "/v1/completions",
                            "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": 500, \"ignore_eos\": true}");
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            Served.await("it runs", () -> isRunning(served));

            await(served.server().end());
            kernels.release();

            assertThat(whole.get(MINUTES, TimeUnit.MINUTES).statusCode()).isEqualTo(503);
            assertThat(whole.join().body()).contains("shutting_down");
        }
    }

    private static boolean isRunning(Served served) {
        try {
            return Served.json(served.get("/health")).path("running").intValue() == 1;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
