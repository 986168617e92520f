package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A server with many clients, and clients that leave, come back and cancel. */
class SharedServerTest {
    private static final String COMPLETIONS = "/v1/completions";
    private static final int RUNNING = 20;
    private static final int WAITING_OF_ONE_KEY = 30;

    private static final HeldKernels kernels = new HeldKernels();

    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(
                Map.of("troupe.http.running", RUNNING, "troupe.http.waiting-per-key", WAITING_OF_ONE_KEY), kernels);
    }

    @AfterAll
    static void end() {
        served.close();
    }

    @Test
    void tokensDoNotDependOnWhoElseIsServed() throws Exception {
        List<String> names = List.of("Once upon a time", "Tom", "Lily and her mom", "The sun");
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < RUNNING; i++) {
            bodies.add(
                    "{\"model\": \"tales\", \"prompt\": \"%s\", \"max_tokens\": 24, \"temperature\": 0.9, \"seed\": %d}"
                            .formatted(names.get(i % names.size()), i));
        }
        kernels.together();
        List<String> alone = new ArrayList<>();
        for (String request : bodies) {
            alone.add(HttpServerTest.text(served.post(COMPLETIONS, request)));
        }
        int sequencesAlone = kernels.together();

        List<String> together = new ArrayList<>();
        try (ExecutorService pool = Executors.newVirtualThreadPerTaskExecutor()) {
            kernels.hold();
            List<Future<String>> calls = bodies.stream()
                    .map(request -> pool.submit(() -> HttpServerTest.text(served.post(COMPLETIONS, request))))
                    .toList();
            Served.await("all run", () -> health("running") == RUNNING);
            kernels.release();
            for (Future<String> call : calls) {
                together.add(call.get());
            }
        } finally {
            kernels.release();
        }

        assertThat(sequencesAlone).isEqualTo(1);
        assertThat(kernels.together()).isGreaterThan(RUNNING / 2);
        assertThat(together).isEqualTo(alone);
    }

    @Test
    void aClientThatHangsUpEndsItsGenerationUnlessItWantsToComeBack() throws Exception {
        for (boolean stream : new boolean[] {true, false}) {
            HttpRequest request = served.request(COMPLETIONS)
                    .POST(HttpRequest.BodyPublishers.ofString(
                            HttpServerTest.greedy("Once", 500, ", \"ignore_eos\": true, \"stream\": " + stream)))
                    .build();
            if (stream) {
                try (InputStream body = served.open(request).body()) {
                    assertThat(body.read()).isPositive();
                }
            } else {
                hangUp(HttpServerTest.greedy("Once", 500, ", \"ignore_eos\": true"));
            }

            Served.await("no generation runs, stream=" + stream, SharedServerTest::isIdle);
        }
    }

    /** Sends a request by hand, waits until it runs, and closes the connection. */
    private static void hangUp(String body) throws Exception {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        try (var socket =
                new java.net.Socket(served.uri("/").getHost(), served.uri("/").getPort())) {
            socket.getOutputStream()
                    .write(
                            "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                                    .formatted(COMPLETIONS, Served.KEY, bytes.length)
                                    .getBytes(StandardCharsets.UTF_8));
            socket.getOutputStream().write(bytes);
            socket.getOutputStream().flush();
            Served.await("it runs", () -> !isIdle());
        }
    }

    private static boolean isIdle() {
        try {
            JsonNode health = Served.json(served.get("/health"));
            return health.path("running").intValue() == 0
                    && health.path("running_sequences").intValue() == 0;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aResumableStreamGoesOnWithoutItsClientAndIsItsTenantsOwn() throws Exception {
        HttpRequest request = served.request(COMPLETIONS)
                .POST(HttpRequest.BodyPublishers.ofString(HttpServerTest.greedy(
                        "Once", 60, ", \"ignore_eos\": true, \"stream\": true, \"resumable\": true")))
                .build();
        String first;
        try (InputStream body = served.open(request).body();
                BufferedReader lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))) {
            first = lines.readLine().substring("id: ".length());
        }
        String path = "/v1/generations/" + first.substring(0, first.lastIndexOf(':'));

        HttpResponse<String> all = served.get(path);
        HttpResponse<String> rest = served.get(path + "?after=9");
        HttpResponse<String> byHeader = served.send(
                served.request(path).header("Last-Event-ID", first).GET().build());
        HttpResponse<String> stranger = served.send(HttpRequest.newBuilder(served.uri(path))
                .header("Authorization", "Bearer " + Served.OTHER_KEY)
                .build());

        assertThat(Served.data(all.body())).hasSize(60 + 2).endsWith("[DONE]");
        assertThat(Served.data(rest.body())).isEqualTo(Served.data(all.body()).subList(10, 62));
        assertThat(Served.data(byHeader.body()))
                .isEqualTo(Served.data(all.body()).subList(1, 62));
        assertThat(stranger.statusCode()).isEqualTo(404);
    }

    @Test
    void aStreamThatIsCancelledEndsWithAnErrorAndNotAsIfItWereDone() throws Exception {
        HttpRequest request = served.request(COMPLETIONS)
                .POST(HttpRequest.BodyPublishers.ofString(
                        HttpServerTest.greedy("Once", 500, ", \"ignore_eos\": true, \"stream\": true")))
                .build();
        List<String> lines = new ArrayList<>();
        try (InputStream body = served.open(request).body();
                BufferedReader reader = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))) {
            String id = reader.readLine().substring("id: ".length());
            String path = "/v1/generations/" + id.substring(0, id.lastIndexOf(':'));

            HttpResponse<String> cancelled =
                    served.send(served.request(path).DELETE().build());

            assertThat(cancelled.statusCode()).isEqualTo(200);
            reader.lines().forEach(lines::add);
        }
        List<String> data = Served.data(String.join("\n", lines));
        assertThat(data).doesNotContain("[DONE]");
        assertThat(data.getLast()).contains("\"error\"", "the generation was cancelled");
    }

    @Test
    void moreThanMayWaitIsRefusedAtOnceAndWhatWaitsIsServed() throws Exception {
        try (ExecutorService pool = Executors.newVirtualThreadPerTaskExecutor()) {
            String many = HttpServerTest.greedy("Once", 200, ", \"ignore_eos\": true, \"n\": " + RUNNING);
            List<Future<HttpResponse<String>>> served = new ArrayList<>();
            served.add(pool.submit(() -> SharedServerTest.served.post(COMPLETIONS, many)));
            Served.await("it runs", () -> health("running") == RUNNING);
            String small = HttpServerTest.greedy("Once", 2, ", \"n\": " + WAITING_OF_ONE_KEY / 2);
            served.add(pool.submit(() -> SharedServerTest.served.post(COMPLETIONS, small)));
            served.add(pool.submit(() -> SharedServerTest.served.post(COMPLETIONS, small)));
            Served.await("two wait", () -> health("waiting") == WAITING_OF_ONE_KEY);

            HttpResponse<String> refused =
                    SharedServerTest.served.post(COMPLETIONS, HttpServerTest.greedy("Once", 2, ""));

            assertThat(refused.statusCode()).isEqualTo(429);
            assertThat(refused.headers().firstValue("Retry-After")).isPresent();
            assertThat(refused.body()).contains("%d generations of yours wait".formatted(WAITING_OF_ONE_KEY));
            for (Future<HttpResponse<String>> future : served) {
                assertThat(future.get().statusCode()).isEqualTo(200);
            }
        }
    }

    private static int health(String field) {
        try {
            return Served.json(served.get("/health")).path(field).intValue();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
