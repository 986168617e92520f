package dev.troupe.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.typesafe.config.ConfigFactory;
import dev.troupe.client.RequestFailedException;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.HttpConfig;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.apache.pekko.Done;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.apache.pekko.http.javadsl.model.HttpEntity;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.settings.ServerSettings;
import org.apache.pekko.http.scaladsl.model.EntityStreamSizeException;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.pattern.Patterns;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.util.ByteString;

/** A node's HTTP port: reads requests, finds who asks, and passes them to their routes. */
public final class HttpServer implements AutoCloseable {
    private static final long BODY_WITHIN_MILLIS = 30_000;
    private static final Duration AGAIN = Duration.ofSeconds(1);
    private static final int DEEPEST = 64;
    private static final int MOST_CONNECTIONS = 2048;
    private static final ObjectMapper MAPPER = mapper();

    private final ActorSystem<?> system;
    private final HttpConfig config;
    private final Runnable onClose;
    private final ApiKeys keys;
    private final HttpMetrics metrics;
    private final List<Route> routes;
    private final ServerBinding binding;
    private final CompletionStage<Done> warm;
    private volatile boolean closed;

    /**
     * What requests are answered with.
     *
     * @param troupe what generates
     * @param model that it serves
     * @param stats asks the scheduler how it is
     */
    public record Backend(Troupe troupe, ServedModel model, Supplier<CompletionStage<SchedulerStats>> stats) {}

    private HttpServer(Backend backend, HttpConfig config, Runnable onClose) throws IOException {
        this.onClose = onClose;
        this.system = backend.troupe().system();
        this.config = config;
        this.keys = new ApiKeys(config.keys());
        FairQueue queue =
                new FairQueue(config.mostRunning(), config.mostWaiting(), config.mostWaitingPerKey(), config.weights());
        this.metrics = new HttpMetrics(queue);
        this.routes = new Routes(backend, config, queue, metrics).all();
        this.binding = bindOrClose();
        this.warm = warmUp(backend);
    }

    /** The first request makes the scheduler place its plan and load it, so the server asks itself. */
    private CompletionStage<Done> warmUp(Backend backend) {
        TextRequest first = TextRequest.greedy("", 1)
                .withPrompt(new TextRequest.Tokens(Ints.of(0)))
                .withIgnoreEos(true);
        return backend.troupe()
                .complete(first)
                .<Done>thenApply(_ -> Done.getInstance())
                .exceptionallyCompose(failure -> closed || !isTemporary(failure)
                        ? CompletableFuture.failedFuture(failure)
                        : Patterns.after(AGAIN, system.classicSystem(), () -> warmUp(backend)));
    }

    private static boolean isTemporary(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof RequestFailedException failed
                && switch (failed.kind()) {
                    case OVERLOADED, NO_CAPACITY, LOST, GONE, DEADLINE -> true;
                    case INVALID, POISON, SUPERSEDED, NOT_FINITE, DEFECT -> false;
                };
    }

    /** Answers when the model has been loaded and has computed something; fails if it cannot. */
    public CompletionStage<Done> whenWarm() {
        return warm;
    }

    /**
     * Binds and serves.
     *
     * @param onClose ends what was started for it
     * @throws IOException if the port cannot be bound
     */
    public static HttpServer start(Backend backend, HttpConfig config, Runnable onClose) throws IOException {
        return new HttpServer(backend, config, onClose);
    }

    private ServerBinding bindOrClose() throws IOException {
        try {
            return bind();
        } catch (IOException e) {
            metrics.close();
            throw e;
        }
    }

    private ServerBinding bind() throws IOException {
        // Requests have deadlines of their own, and streams give signs of life.
        ServerSettings settings = ServerSettings.create(ConfigFactory.parseString(
                        """
                        pekko.http.server {
                          server-header = "troupe"
                          request-timeout = infinite
                          idle-timeout = %d s
                          max-connections = %d
                          # They would show keys.
                          parsing.illegal-header-warnings = off
                          parsing.max-content-length = %d
                        }
                        """.formatted(2 * config.deadline().toSeconds() + 60, MOST_CONNECTIONS, config.maxBodyBytes()))
                .withFallback(system.settings().config()));
        try {
            return Http.get(system)
                    .newServerAt(config.host(), config.port())
                    .withSettings(settings)
                    .bindFlow(Flow.fromMaterializer((materializer, attributes) -> connection()))
                    .toCompletableFuture()
                    .join();
        } catch (CompletionException e) {
            throw new IOException(
                    "HTTP cannot listen on %s:%d: %s; set troupe.http.port, or --port, to a free one"
                            .formatted(
                                    config.host(),
                                    config.port(),
                                    Optional.ofNullable(e.getCause()).orElse(e).getMessage()),
                    e);
        }
    }

    /** One connection: its requests one after the other, all of which hear when it ends. */
    private Flow<HttpRequest, HttpResponse, NotUsed> connection() {
        Presence client = new Presence();
        return Flow.<HttpRequest>create()
                .watchTermination((used, done) -> {
                    done.whenComplete((ended, failure) -> client.end());
                    return used;
                })
                .mapAsync(1, request -> answer(request, client.next()));
    }

    private CompletionStage<HttpResponse> answer(HttpRequest request, CompletionStage<Done> gone) {
        String path = request.getUri().getPathString();
        CompletionStage<Pair<String, HttpResponse>> answered;
        try {
            answered = dispatch(request, path, gone);
        } catch (RuntimeException e) {
            answered = CompletableFuture.failedFuture(e);
        }
        return answered.handle((pair, failure) -> {
            if (failure == null) {
                metrics.answered(pair.first(), pair.second().status().intValue());
                return pair.second();
            }
            request.discardEntityBytes(system);
            ApiError error = Generations.error(failure);
            metrics.answered(routeName(path), error.status());
            return Responses.error(error);
        });
    }

    private String routeName(String path) {
        return routes.stream()
                .filter(route -> route.match(path).isPresent())
                .map(Route::path)
                .findFirst()
                .orElse("none");
    }

    /** Nobody without a key learns which routes there are. */
    private CompletionStage<Pair<String, HttpResponse>> dispatch(
            HttpRequest request, String path, CompletionStage<Done> gone) {
        String method = request.method().value();
        Optional<Route> found = routes.stream()
                .filter(route ->
                        route.method().equals(method) && route.match(path).isPresent())
                .findFirst();
        String authorization =
                request.getHeader("Authorization").map(header -> header.value()).orElse("");
        boolean open = found.isPresent() && found.get().access() == Route.Access.ANYBODY;
        String tenant = open ? ApiKeys.ANYBODY : keys.tenant(authorization).orElseThrow(ApiError::unauthorized);
        if (found.isEmpty()) {
            throw absent(method, path);
        }
        Route route = found.get();
        String id = route.match(path).orElse("");
        return body(request, route)
                .thenCompose(body -> route.handler().handle(new Exchange(request, tenant, id, body, gone)))
                .thenApply(response -> Pair.create(route.path(), response));
    }

    private ApiError absent(String method, String path) {
        TreeSet<String> others = new TreeSet<>();
        routes.stream().filter(route -> route.match(path).isPresent()).forEach(route -> others.add(route.method()));
        return others.isEmpty()
                ? ApiError.notFound("there is no such route")
                : ApiError.method(method, String.join(", ", others));
    }

    private CompletionStage<ObjectNode> body(HttpRequest request, Route route) {
        if (!route.method().equals("POST")) {
            request.discardEntityBytes(system);
            return CompletableFuture.completedFuture(JsonNodeFactory.instance.objectNode());
        }
        if (request.getHeader("Content-Encoding").isPresent()) {
            throw ApiError.malformed("compressed bodies are not taken; send the JSON as it is");
        }
        HttpEntity entity = request.entity().withSizeLimit(config.maxBodyBytes());
        return entity.toStrict(BODY_WITHIN_MILLIS, system).handle((strict, failure) -> {
            if (failure != null) {
                throw bodyError(failure);
            }
            return parse(strict.getData());
        });
    }

    private ApiError bodyError(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof EntityStreamSizeException
                ? ApiError.tooLarge("the body has more than %d bytes".formatted(config.maxBodyBytes()))
                : ApiError.malformed("the body did not come whole within %d s".formatted(BODY_WITHIN_MILLIS / 1000));
    }

    private static ObjectMapper mapper() {
        JsonFactory factory = JsonFactory.builder()
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(DEEPEST)
                        .maxNumberLength(100)
                        .maxStringLength(Integer.MAX_VALUE)
                        .build())
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        return JsonMapper.builder(factory)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .build();
    }

    /** Errors of the parser are not repeated: they quote the text. */
    private static ObjectNode parse(ByteString bytes) {
        try {
            JsonNode node = MAPPER.readTree(bytes.toArray());
            if (node instanceof ObjectNode object) {
                return object;
            }
            throw ApiError.malformed("the body is no JSON object");
        } catch (JsonProcessingException e) {
            var at = e.getLocation();
            throw ApiError.malformed("the body is no JSON object of at most %d levels without double names%s"
                    .formatted(
                            DEEPEST,
                            at == null ? "" : ": line %d, column %d".formatted(at.getLineNr(), at.getColumnNr())));
        } catch (IOException e) {
            throw ApiError.malformed("the body cannot be read");
        }
    }

    /** Where it listens: {@code host:port}. */
    public String address() {
        return "%s:%d".formatted(config.host(), binding.localAddress().getPort());
    }

    /** The routes, for tests. */
    List<Route> routes() {
        return new ArrayList<>(routes);
    }

    /** Takes no more connections, and ends what was started for the server. */
    @Override
    public void close() {
        closed = true;
        binding.unbind().toCompletableFuture().join();
        metrics.close();
        onClose.run();
    }
}
