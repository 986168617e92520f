package dev.troupe.openai;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Asks a server that speaks the OpenAI API. May be used by many threads; a call blocks its thread until the answer is whole, and an
 * interrupt of that thread ends the call and closes its connection, by which servers know that nobody waits any more.
 */
public final class ApiClient implements AutoCloseable {
    private static final Duration CONNECT_WITHIN = Duration.ofSeconds(10);
    private static final int MOST_BYTES = 64 << 20;
    private static final String LAST_WORD = "[DONE]";
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final String url;
    private final HttpClient http;

    /** What is asked for. */
    public enum Route {
        COMPLETIONS("/v1/completions"),
        CHAT("/v1/chat/completions");

        private final String path;

        Route(String path) {
            this.path = path;
        }
    }

    /**
     * A client of the server at {@code url}.
     *
     * @param url {@code http://HOST:PORT}, with or without the {@code /v1} of the API
     * @throws IllegalArgumentException if it is none
     */
    public ApiClient(String url) {
        this(url, null);
    }

    /**
     * The same.
     *
     * @param tls whom to trust and what to show where the server speaks TLS; null trusts those that the JDK trusts
     * @throws IllegalArgumentException if the url is none
     */
    public ApiClient(String url, @Nullable SSLContext tls) {
        String plain = url.strip().replaceFirst("/+$", "").replaceFirst("/v1$", "");
        URI uri;
        try {
            uri = URI.create(plain);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("url %s: %s".formatted(url, e.getMessage()), e);
        }
        String scheme = String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
        if (!(scheme.equals("http") || scheme.equals("https")) || uri.getHost() == null) {
            throw new IllegalArgumentException(
                    "url %s, expected http:// or https:// and a host, for example http://127.0.0.1:8000"
                            .formatted(url));
        }
        this.url = plain;
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(CONNECT_WITHIN)
                .executor(Executors.newVirtualThreadPerTaskExecutor());
        this.http = (tls == null ? builder : builder.sslContext(tls)).build();
    }

    /** Where the server is. */
    public String url() {
        return url;
    }

    /**
     * The models that the server has.
     *
     * @param key what proves who asks, or empty
     * @throws ApiException if it does not say
     */
    public List<String> models(String key) throws ApiException, InterruptedException {
        HttpResponse<InputStream> response = exchange(
                request("/v1/models", key).timeout(CONNECT_WITHIN).GET().build());
        List<String> ids = new ArrayList<>();
        try (InputStream body = response.body()) {
            JsonNode models = object(response.statusCode(), body).path("data");
            models.forEach(model -> ids.add(model.path("id").asText("")));
        } catch (IOException e) {
            throw failure(response.statusCode(), e);
        }
        if (ids.isEmpty()) {
            throw ApiException.at(response.statusCode(), ApiException.Kind.MALFORMED, url + " names no models");
        }
        return ids;
    }

    /**
     * What the server's {@code /metrics} says, which not every server has, in the text format of Prometheus.
     *
     * @param key what proves who asks, or empty
     * @throws ApiException if it does not say
     */
    public String metrics(String key) throws ApiException, InterruptedException {
        HttpResponse<InputStream> response =
                exchange(request("/metrics", key).timeout(CONNECT_WITHIN).GET().build());
        try (InputStream body = response.body()) {
            return new String(body.readNBytes(MOST_BYTES), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw failure(response.statusCode(), e);
        }
    }

    /**
     * Asks and waits for the whole answer.
     *
     * @param body what the API wants; a true {@code stream} in it makes a stream of the answer
     * @param tokens is told of every token that comes, with what it adds to the text; a whole answer comes as one
     * @throws ApiException if there is no whole answer
     */
    public Answer ask(Route route, String key, ObjectNode body, Consumer<String> tokens)
            throws ApiException, InterruptedException {
        HttpRequest request = request(route.path, key)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body.toString()))
                .build();
        HttpResponse<InputStream> response = exchange(request);
        try (InputStream bytes = response.body()) {
            return body.path("stream").asBoolean(false)
                    ? stream(response.statusCode(), bytes, tokens)
                    : whole(response.statusCode(), bytes, tokens);
        } catch (IOException e) {
            throw failure(response.statusCode(), e);
        }
    }

    private static Answer whole(int status, InputStream bytes, Consumer<String> tokens) throws IOException {
        AnswerBuilder answer = new AnswerBuilder();
        answer.take(object(status, bytes)).ifPresent(tokens);
        return answer.build();
    }

    private static Answer stream(int status, InputStream bytes, Consumer<String> tokens) throws IOException {
        EventReader events = new EventReader(bytes);
        AnswerBuilder answer = new AnswerBuilder();
        boolean done = false;
        for (Optional<String> event = events.next(); event.isPresent(); event = events.next()) {
            if (event.get().equals(LAST_WORD)) {
                done = true; // and to the end, or the connection is of no use for the next request
                continue;
            }
            JsonNode chunk = parse(status, event.get());
            if (chunk.hasNonNull("error")) {
                throw ApiException.of(status, chunk);
            }
            answer.take(chunk).ifPresent(tokens);
        }
        if (!done) {
            throw ApiException.at(
                    status, ApiException.Kind.NOT_DONE, "the stream ended without %s".formatted(LAST_WORD));
        }
        return answer.build();
    }

    private static JsonNode object(int status, InputStream bytes) throws IOException {
        return parse(status, new String(bytes.readNBytes(MOST_BYTES), StandardCharsets.UTF_8));
    }

    private static JsonNode parse(int status, String text) throws ApiException {
        try {
            return MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            throw ApiException.at(
                    status, ApiException.Kind.MALFORMED, "the answer is no JSON; is this an OpenAI-compatible server?");
        }
    }

    private HttpRequest.Builder request(String path, String key) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path));
        return key.isEmpty() ? request : request.header("Authorization", "Bearer " + key);
    }

    /** The answer's body, of which nothing has been read, if its status is a success. */
    private HttpResponse<InputStream> exchange(HttpRequest request) throws ApiException, InterruptedException {
        HttpResponse<InputStream> response;
        try {
            response = http.send(request, HttpResponse.BodyHandlers.ofInputStream());
        } catch (IOException e) {
            throw failure(0, e);
        }
        if (response.statusCode() / 100 == 2) {
            return response;
        }
        try (InputStream body = response.body()) {
            throw ApiException.refused(
                    response.statusCode(), new String(body.readNBytes(MOST_BYTES), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw failure(response.statusCode(), e);
        }
    }

    /** What an interrupt has ended is no failure of the server. */
    private ApiException failure(int status, IOException e) throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        return switch (e) {
            case ApiException said -> said;
            case SSLException untrusted
            when status == 0 ->
                ApiException.at(
                        status,
                        ApiException.Kind.UNTRUSTED,
                        "no TLS connection to %s: %s".formatted(url, untrusted.getMessage()));
            case ConnectException refused -> noConnection(reason(refused));
            case HttpConnectTimeoutException late ->
                noConnection("nothing within " + CONNECT_WITHIN.toSeconds() + " s");
            case HttpTimeoutException late ->
                ApiException.without(
                        ApiException.Kind.TIMEOUT,
                        "%s does not answer within %d s".formatted(url, CONNECT_WITHIN.toSeconds()));
            default ->
                ApiException.at(
                        status,
                        ApiException.Kind.BROKEN,
                        "the connection to %s broke before the answer was whole: %s".formatted(url, e.getMessage()));
        };
    }

    private ApiException noConnection(String reason) {
        return ApiException.without(
                ApiException.Kind.NO_CONNECTION, "no server answers at %s: %s".formatted(url, reason));
    }

    private static String reason(ConnectException refused) {
        if (refused.getMessage() != null) {
            return refused.getMessage();
        }
        for (Throwable cause = refused.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof UnresolvedAddressException) {
                return "nobody knows this host";
            }
        }
        return "connection refused";
    }

    /** Ends what still runs. */
    @Override
    public void close() {
        http.shutdownNow();
    }
}
