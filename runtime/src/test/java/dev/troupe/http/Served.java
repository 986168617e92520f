package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.typesafe.config.ConfigFactory;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.LocalTroupe;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** The bundled model behind an HTTP port of its own, and a client of it. */
final class Served implements AutoCloseable {
    static final String KEY = "key-of-team-a-0123456789";
    static final String OTHER_KEY = "key-of-team-b-0123456789";
    static final ObjectMapper JSON = new ObjectMapper();

    private static final Duration PATIENCE = Duration.ofMinutes(2);

    private final HttpServer server;
    private final HttpClient client;

    private Served(HttpServer server, HttpClient client) {
        this.server = server;
        this.client = client;
    }

    /** Starts it, with some settings beside the usual ones. */
    static Served start(Map<String, Object> more) throws IOException {
        return start(more, HttpClient.newHttpClient());
    }

    /** The same, for a client that trusts somebody. */
    static Served start(Map<String, Object> more, HttpClient client) throws IOException {
        return new Served(LocalTroupe.serve(config(more), LoadProgress.NONE), client);
    }

    /** The same, with kernels that can be held. */
    static Served start(Map<String, Object> more, HeldKernels kernels) throws IOException {
        return new Served(LocalTroupe.serve(config(more), LoadProgress.NONE, kernels), HttpClient.newHttpClient());
    }

    /** The usual settings, and some more. */
    static NodeConfig config(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of(
                "troupe.models",
                Map.of(
                        "tales",
                        Path.of("src", "main", "models", "tales")
                                .toAbsolutePath()
                                .toString()),
                "troupe.device.threads",
                1,
                "troupe.http.enabled",
                true,
                "troupe.http.port",
                0,
                "troupe.http.keys",
                Map.of("team-a", KEY, "team-b", OTHER_KEY)));
        settings.putAll(more);
        return NodeConfig.of(ConfigFactory.parseMap(settings));
    }

    HttpServer server() {
        return server;
    }

    URI uri(String path) {
        return URI.create(server.url() + path);
    }

    /** A request with the usual key; if it has a body, that is JSON. */
    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(uri(path))
                .timeout(PATIENCE)
                .header("Authorization", "Bearer " + KEY)
                .header("Content-Type", "application/json");
    }

    HttpResponse<String> send(HttpRequest request) throws Exception {
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }

    HttpResponse<InputStream> open(HttpRequest request) throws Exception {
        return client.send(request, HttpResponse.BodyHandlers.ofInputStream());
    }

    HttpResponse<String> get(String path) throws Exception {
        return send(request(path).GET().build());
    }

    HttpResponse<String> post(String path, String body) throws Exception {
        return send(
                request(path).POST(HttpRequest.BodyPublishers.ofString(body)).build());
    }

    HttpResponse<String> delete(String path) throws Exception {
        return send(request(path).DELETE().build());
    }

    static JsonNode json(HttpResponse<String> response) {
        try {
            return JSON.readTree(response.body());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The data of all events of a stream. */
    static List<String> data(String body) {
        return lines(body, "data: ");
    }

    /** The ids of all events of a stream. */
    static List<String> ids(String body) {
        return lines(body, "id: ");
    }

    private static List<String> lines(String body, String name) {
        List<String> values = new ArrayList<>();
        body.lines()
                .filter(line -> line.startsWith(name))
                .map(line -> line.substring(name.length()))
                .forEach(values::add);
        return values;
    }

    /** Waits until something holds. */
    static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + PATIENCE + ": " + what);
            }
            Thread.onSpinWait();
        }
    }

    @Override
    public void close() {
        client.close();
        server.close();
    }
}
