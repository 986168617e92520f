package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.troupe.config.HttpConfig;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.LocalTroupe;
import dev.troupe.text.tools.ToolFormat;
import dev.troupe.weights.LoadProgress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PreparationTest {
    private static final int MINUTES = 2;

    private final CountDownLatch go = new CountDownLatch(1);

    private <T> T slow(T answer) {
        try {
            go.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return answer;
    }

    private static void assertFull(Runnable asks, String message) {
        assertThatThrownBy(asks::run)
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(503))
                .hasMessageContaining(message);
    }

    @Test
    void refusesWhatDoesNotFitAndDoesTheRest() throws Exception {
        try (Preparation preparation = new Preparation(new HttpConfig.Preparing(1, 2, 1 << 20))) {
            CompletableFuture<Integer> all = CompletableFuture.completedFuture(0);
            for (int i = 0; i < 3; i++) {
                all = all.thenCombine(
                        preparation.run(1, () -> CompletableFuture.completedFuture(slow(1))), Integer::sum);
            }

            assertFull(
                    () -> preparation.run(1, () -> CompletableFuture.completedFuture(1)),
                    "2 requests wait to be read, at most so many do");
            go.countDown();

            assertThat(all.get(MINUTES, TimeUnit.MINUTES)).isEqualTo(3);
            assertThat(preparation
                            .run(1, () -> CompletableFuture.completedFuture(7))
                            .toCompletableFuture()
                            .get(MINUTES, TimeUnit.MINUTES))
                    .isEqualTo(7);
        }
    }

    @Test
    void countsBytesUntilTheWorkIsDoneHoweverItEnds() throws Exception {
        try (Preparation preparation = new Preparation(new HttpConfig.Preparing(2, 9, 1024))) {
            CompletableFuture<Object> failed = preparation
                    .run(1000, () -> {
                        slow("");
                        throw ApiError.malformed("wrong");
                    })
                    .toCompletableFuture();

            assertFull(
                    () -> preparation.run(25, () -> CompletableFuture.completedFuture(1)),
                    "1,000 bytes of requests wait to be read, at most 1,024 do");
            go.countDown();

            assertThat(failed.handle((done, failure) -> failure.getCause()).get(MINUTES, TimeUnit.MINUTES))
                    .hasMessage("wrong");
            assertThat(preparation
                            .run(1024, () -> CompletableFuture.completedFuture(7))
                            .toCompletableFuture()
                            .get(MINUTES, TimeUnit.MINUTES))
                    .isEqualTo(7);
        }
    }

    @Test
    void aSlowTemplateHoldsUpNobodyButThoseWhoPrepareToo() throws Exception {
        NodeConfig config = Served.config(Map.of("troupe.http.prepare.threads", 1, "troupe.http.prepare.waiting", 1));
        var troupe = LocalTroupe.start(config, LoadProgress.NONE);
        CountDownLatch begun = new CountDownLatch(1);
        ServedModel.ChatPrompt template = new ServedModel.ChatPrompt() {
            @Override
            public String of(ArrayNode messages, ArrayNode tools) {
                begun.countDown();
                throw new IllegalArgumentException(slow("at last"));
            }

            @Override
            public ToolFormat toolFormat() {
                return ToolFormat.TOLD;
            }
        };
        ServedModel model = new ServedModel("tales", null, template, 512, 512, 128, 0);
        HttpServer.Backend backend = new HttpServer.Backend(
                troupe, model, () -> CompletableFuture.failedFuture(new IllegalStateException("none")));
        try (HttpClient client = HttpClient.newHttpClient();
                HttpServer server = HttpServer.start(backend, config.http(), troupe::close)) {
            CompletableFuture<HttpResponse<String>> first = chat(client, server);
            begun.await();
            CompletableFuture<HttpResponse<String>> second = chat(client, server);
            Served.await("the second waits", () -> server.preparing() == 1);

            HttpResponse<String> third = chat(client, server).get(MINUTES, TimeUnit.MINUTES);
            HttpResponse<String> alive = client.send(
                    HttpRequest.newBuilder(URI.create(server.url() + "/livez")).build(),
                    HttpResponse.BodyHandlers.ofString());
            boolean stillBusy = !first.isDone() && !second.isDone();
            go.countDown();

            assertThat(stillBusy).isTrue();
            assertThat(third.statusCode()).isEqualTo(503);
            assertThat(third.headers().firstValue("Retry-After")).isPresent();
            assertThat(alive.statusCode()).isEqualTo(200);
            for (CompletableFuture<HttpResponse<String>> answer : java.util.List.of(first, second)) {
                assertThat(answer.get(MINUTES, TimeUnit.MINUTES).body()).contains("at last");
            }
        }
    }

    private static CompletableFuture<HttpResponse<String>> chat(HttpClient client, HttpServer server) {
        return client.sendAsync(
                HttpRequest.newBuilder(URI.create(server.url() + "/v1/chat/completions"))
                        .header("Authorization", "Bearer " + Served.KEY)
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(
                                "{\"model\": \"tales\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}"))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }
}
