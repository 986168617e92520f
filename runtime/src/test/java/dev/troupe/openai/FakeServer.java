package dev.troupe.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.function.Supplier;

/** A server that says what a test wants, and remembers what it was asked. */
public final class FakeServer implements AutoCloseable {
    public static final String CHUNK =
            "data: {\"choices\": [{\"index\": 0, \"text\": \"%s\", \"finish_reason\": null}]}\n\n";
    public static final String DELTA =
            "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"%s\"}, \"finish_reason\": null}]}\n\n";
    public static final String USAGE =
            "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 10, \"completion_tokens\": 3,"
                    + " \"prompt_tokens_details\": {\"cached_tokens\": 8}}}\n\n";
    public static final String DONE = "data: [DONE]\n\n";

    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final CountDownLatch hungUp = new CountDownLatch(1);

    /** What was asked. */
    public record Request(String path, String authorization, JsonNode body) {}

    /**
     * What is said.
     *
     * @param status of HTTP
     * @param body of it
     * @param ends whether it ends in good order; otherwise a stream goes on with comments until the client hangs up
     */
    public record Reply(int status, String body, boolean ends) {}

    private FakeServer(Function<Request, Reply> replies) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", exchange -> handle(exchange, replies));
        server.start();
    }

    /** One that serves the model {@code fake}, answers requests for completions so, and has no metrics. */
    public static FakeServer answering(Function<Request, Reply> replies) throws IOException {
        return answering(replies, () -> new Reply(404, "", true));
    }

    /** The same with metrics. */
    public static FakeServer answering(Function<Request, Reply> replies, Supplier<Reply> metrics) throws IOException {
        return new FakeServer(request -> switch (request.path()) {
            case "/v1/models" -> new Reply(200, "{\"data\": [{\"id\": \"fake\"}]}", true);
            case "/metrics" -> metrics.get();
            default -> replies.apply(request);
        });
    }

    /** One whose every route answers so. */
    public static FakeServer always(int status, String body) throws IOException {
        return new FakeServer(_ -> new Reply(status, body, true));
    }

    /** A stream, or the like, that ends. */
    public static Reply stream(String... events) {
        return new Reply(200, String.join("", events), true);
    }

    private void handle(HttpExchange exchange, Function<Request, Reply> replies) throws IOException {
        Request request = new Request(
                exchange.getRequestURI().getPath(),
                Objects.requireNonNullElse(exchange.getRequestHeaders().getFirst("Authorization"), ""),
                MAPPER.readTree(exchange.getRequestBody().readAllBytes()));
        requests.add(request);
        Reply reply = replies.apply(request);
        exchange.sendResponseHeaders(reply.status(), 0);
        try (exchange;
                OutputStream out = exchange.getResponseBody()) {
            out.write(reply.body().getBytes(StandardCharsets.UTF_8));
            out.flush();
            while (!reply.ends()) {
                out.write(": still working\n\n".getBytes(StandardCharsets.UTF_8));
                out.flush();
                Thread.onSpinWait();
            }
        } catch (IOException e) {
            hungUp.countDown();
        }
    }

    /** Where it is. */
    public String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    /** What it was asked of completions. */
    public List<Request> requests() {
        return requests.stream()
                .filter(request -> !List.of("/v1/models", "/metrics").contains(request.path()))
                .toList();
    }

    /** Waits until a client has hung up in the middle of a stream. */
    public void awaitHangUp() throws InterruptedException {
        hungUp.await();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
