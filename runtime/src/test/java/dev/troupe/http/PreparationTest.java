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
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
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

    private static Preparation preparation(int threads, int waiting, int perKey, long bytes, long bytesPerKey) {
        return new Preparation(new HttpConfig.Preparing(threads, waiting, perKey, bytes, bytesPerKey));
    }

    private static <T> CompletableFuture<T> read(Preparation preparation, String tenant, Supplier<T> work) {
        return preparation
                .room(tenant, 1)
                .read(() -> CompletableFuture.completedFuture(work.get()))
                .toCompletableFuture();
    }

    private static void assertRefused(int status, Supplier<?> asks, String message) {
        assertThatThrownBy(asks::get)
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(status))
                .hasMessageContaining(message);
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(MINUTES, TimeUnit.MINUTES);
    }

    @Test
    void refusesWhatDoesNotFitAndDoesTheRest() throws Exception {
        try (Preparation preparation = preparation(1, 2, 2, 1 << 20, 1 << 20)) {
            CompletableFuture<Integer> all = CompletableFuture.completedFuture(0);
            for (int i = 0; i < 3; i++) {
                all = all.thenCombine(read(preparation, "a", () -> slow(1)), Integer::sum);
            }

            assertRefused(
                    503,
                    () -> preparation.room("a", 1).read(() -> CompletableFuture.completedFuture(1)),
                    "2 requests wait to be read, at most so many do; come back later");
            go.countDown();

            assertThat(get(all)).isEqualTo(3);
            assertThat(get(read(preparation, "a", () -> 7))).isEqualTo(7);
        }
    }

    @Test
    void aTenantThatFillsItsShareLeavesTheirsToOthersWhoGetThreadsInTurn() throws Exception {
        try (Preparation preparation = preparation(1, 4, 2, 1 << 20, 1 << 20)) {
            List<String> order = Collections.synchronizedList(new ArrayList<>());
            CompletableFuture<String> first = read(preparation, "a", () -> slow("a0"));
            List<CompletableFuture<Boolean>> waiting = new ArrayList<>();
            for (String name : List.of("a1", "a2")) {
                waiting.add(read(preparation, "a", () -> order.add(name)));
            }

            assertRefused(
                    429,
                    () -> preparation.room("a", 1).read(() -> CompletableFuture.completedFuture(1)),
                    "2 requests of yours wait to be read, expected at most so many");
            for (String name : List.of("b1", "b2")) {
                waiting.add(read(preparation, "b", () -> order.add(name)));
            }
            go.countDown();

            assertThat(get(first)).isEqualTo("a0");
            for (CompletableFuture<Boolean> each : waiting) {
                assertThat(get(each)).isTrue();
            }
            assertThat(order).containsExactly("a1", "b1", "a2", "b2");
        }
    }

    @Test
    void countsBytesUntilTheWorkIsDoneHoweverItEnds() throws Exception {
        try (Preparation preparation = preparation(2, 9, 9, 1024, 1024)) {
            CompletableFuture<Object> failed = preparation
                    .room("a", 1000)
                    .read(() -> {
                        slow("");
                        throw ApiError.malformed("wrong");
                    })
                    .toCompletableFuture();

            assertRefused(
                    503,
                    () -> preparation.room("a", 25),
                    "1,000 bytes of requests wait to be read, at most 1,024 do; come back later");
            go.countDown();

            Throwable failure = get(failed.handle((done, thrown) -> thrown.getCause()));
            assertThat(failure).hasMessage("wrong");
            preparation.room("a", 1024).close();
        }
    }

    @Test
    void countsBytesBeforeTheyAreReadForAllAndForEachTenant() {
        try (Preparation preparation = preparation(1, 9, 9, 4096, 2048)) {
            Preparation.Room first = preparation.room("a", 2000);

            assertRefused(
                    429,
                    () -> {
                        first.grow(49);
                        return first;
                    },
                    "2,000 bytes of requests of yours wait to be read, expected at most 2,048");
            first.grow(48);
            preparation.room("b", 2040);
            assertRefused(503, () -> preparation.room("c", 9), "4,088 bytes of requests wait to be read");
            first.close();
            first.close();

            preparation.room("c", 2048);
            assertRefused(503, () -> preparation.room("a", 9), "4,088 bytes of requests wait to be read");
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
            for (CompletableFuture<HttpResponse<String>> answer : List.of(first, second)) {
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
