package dev.troupe.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.typesafe.config.ConfigFactory;
import dev.troupe.client.RequestFailedException;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.HttpConfig;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.tensor.Ints;
import dev.troupe.wire.tls.ServerTls;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.pekko.Done;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.ConnectionContext;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.apache.pekko.http.javadsl.ServerBuilder;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.settings.ServerSettings;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.pattern.Patterns;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.SharedKillSwitch;
import org.apache.pekko.stream.javadsl.Flow;
import org.jspecify.annotations.Nullable;

/** A node's HTTP port: reads requests, finds who asks, and passes them to their routes. */
public final class HttpServer implements AutoCloseable {
    private static final Duration AGAIN = Duration.ofSeconds(1);
    private static final int METHOD_NOT_ALLOWED = 405;
    private static final int MOST_CONNECTIONS = 2048;

    /** For the last words of answers, once their generations have ended. */
    private static final Duration FLUSHED_WITHIN = Duration.ofSeconds(2);

    /** What has been rendered may still be on its way to the socket, which nobody tells, and then connections are cut. */
    private static final Duration WRITTEN_WITHIN = Duration.ofMillis(250);

    private final ActorSystem<?> system;
    private final HttpConfig config;
    private final Runnable onClose;
    private final ApiKeys keys;
    private final HttpMetrics metrics;
    private final BrowserGuard browsers;
    private final Preparation preparation;
    private final Bodies bodies;
    private final Running running;
    private final OpenAnswers open = new OpenAnswers();
    private final SharedKillSwitch connections = KillSwitches.shared("troupe-http");
    private final List<Route> routes;
    private final ServerBinding binding;
    private final CompletionStage<Done> warm;
    private volatile boolean closed;
    private @Nullable CompletableFuture<Done> ended;

    /**
     * What requests are answered with.
     *
     * @param troupe what generates
     * @param model that it serves
     * @param stats asks the scheduler how it is
     */
    public record Backend(Troupe troupe, ServedModel model, Supplier<CompletionStage<SchedulerStats>> stats) {}

    private HttpServer(Backend backend, HttpConfig config, Runnable onClose) throws IOException {
        Optional<ServerTls> tls = tls(config);
        this.onClose = onClose;
        this.system = backend.troupe().system();
        this.config = config;
        this.keys = new ApiKeys(config.keys());
        FairQueue queue =
                new FairQueue(config.mostRunning(), config.mostWaiting(), config.mostWaitingPerKey(), config.weights());
        this.metrics = new HttpMetrics(queue);
        this.browsers = new BrowserGuard(config);
        this.preparation = new Preparation(config.preparing());
        this.bodies = new Bodies(system, preparation, config.maxBodyBytes());
        this.running = new Running(config.recordings());
        this.routes = new Routes(backend, config, queue, metrics, running, preparation).all();
        this.binding = bindOrClose(tls);
        this.warm = warmUp(backend);
    }

    /**
     * Reads the files of its TLS, if it has any.
     *
     * @throws IOException if they cannot be used; the message names the file and what to do
     */
    public static Optional<ServerTls> tls(HttpConfig config) throws IOException {
        if (config.tls().isEmpty()) {
            return Optional.empty();
        }
        HttpConfig.Tls files = config.tls().get();
        return Optional.of(ServerTls.load(files.certificate(), files.key(), files.clientCa()));
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
     * @throws IOException if the port cannot be bound, or the files of its TLS cannot be used
     */
    public static HttpServer start(Backend backend, HttpConfig config, Runnable onClose) throws IOException {
        return new HttpServer(backend, config, onClose);
    }

    private ServerBinding bindOrClose(Optional<ServerTls> tls) throws IOException {
        try {
            return bind(tls);
        } catch (IOException e) {
            metrics.close();
            throw e;
        }
    }

    private ServerBinding bind(Optional<ServerTls> tls) throws IOException {
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
            ServerBuilder builder =
                    Http.get(system).newServerAt(config.host(), config.port()).withSettings(settings);
            return tls.map(files -> builder.enableHttps(ConnectionContext.httpsServer(files::server)))
                    .orElse(builder)
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
                .via(connections.flow())
                .mapAsync(1, request -> answer(request, client.next()));
    }

    private CompletionStage<HttpResponse> answer(HttpRequest request, CompletionStage<Done> gone) {
        String path = request.getUri().getPathString();
        Runnable end = open.begin(gone);
        CompletionStage<Pair<String, HttpResponse>> answered;
        try {
            answered = dispatch(request, path, gone);
        } catch (RuntimeException e) {
            answered = CompletableFuture.failedFuture(e);
        }
        return answered.handle((pair, failure) -> {
            if (failure == null) {
                metrics.answered(pair.first(), pair.second().status().intValue());
                return OpenAnswers.watched(pair.second(), end);
            }
            end.run();
            request.discardEntityBytes(system);
            ApiError error = Generations.error(failure);
            metrics.answered(routeName(path), error.status());
            HttpResponse refused = Responses.error(error);
            return error.status() == METHOD_NOT_ALLOWED
                    ? refused.addHeader(RawHeader.create("Allow", methods(path)))
                    : refused;
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
        if (closed) {
            throw ApiError.ending();
        }
        browsers.requireName(request);
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
        if (route.method().equals("POST")) {
            return bodies.receive(request, tenant)
                    .thenCompose(received -> received.room().read(() -> {
                        if (gone.toCompletableFuture().isDone()) {
                            throw new CancellationException();
                        }
                        return handle(
                                route, new Exchange(request, tenant, id, JsonBodies.parse(received.bytes()), gone));
                    }));
        }
        request.discardEntityBytes(system);
        return handle(route, new Exchange(request, tenant, id, JsonNodeFactory.instance.objectNode(), gone));
    }

    private static CompletionStage<Pair<String, HttpResponse>> handle(Route route, Exchange exchange) {
        return route.handler().handle(exchange).thenApply(response -> Pair.create(route.path(), response));
    }

    private ApiError absent(String method, String path) {
        String others = methods(path);
        return others.isEmpty() ? ApiError.notFound("there is no such route") : ApiError.method(method, others);
    }

    /** Those that work there, or empty. */
    private String methods(String path) {
        return routes.stream()
                .filter(route -> route.match(path).isPresent())
                .map(Route::method)
                .sorted()
                .distinct()
                .collect(Collectors.joining(", "));
    }

    /** Where it listens: {@code host:port}. */
    public String address() {
        return "%s:%d".formatted(config.host(), binding.localAddress().getPort());
    }

    /** The same as clients write it, with {@code http} or {@code https}. */
    public String url() {
        return "%s://%s".formatted(config.tls().isPresent() ? "https" : "http", address());
    }

    /** The routes, for tests. */
    List<Route> routes() {
        return new ArrayList<>(routes);
    }

    /** Requests that wait to be read, for tests. */
    int preparing() {
        return preparation.waiting();
    }

    /**
     * Takes no more connections and requests; done when all answers have ended, by themselves within {@code troupe.http.grace} or with
     * an error after it, and all connections are closed.
     */
    public CompletionStage<Done> end() {
        closed = true;
        CompletableFuture<Done> all = new CompletableFuture<>();
        synchronized (this) {
            if (ended != null) {
                return ended;
            }
            ended = all;
        }
        binding.unbind()
                .thenCompose(_ -> {
                    running.refuseWaiting();
                    return CompletableFuture.anyOf(open.none(), after(config.grace()));
                })
                .thenCompose(_ -> {
                    running.endAll();
                    return CompletableFuture.anyOf(open.none(), after(FLUSHED_WITHIN));
                })
                .thenCompose(_ -> {
                    connections.shutdown();
                    return after(WRITTEN_WITHIN);
                })
                .thenCompose(_ -> binding.terminate(FLUSHED_WITHIN))
                .whenComplete((done, failure) -> {
                    preparation.close();
                    metrics.close();
                    all.complete(Done.getInstance());
                });
        return all;
    }

    private CompletableFuture<Done> after(Duration time) {
        return Patterns.<Done>after(
                        time, system.classicSystem(), () -> CompletableFuture.completedFuture(Done.getInstance()))
                .toCompletableFuture();
    }

    /** {@link #end Ends}, waits for it, and ends what was started for the server. */
    @Override
    public void close() {
        end().toCompletableFuture().join();
        onClose.run();
    }
}
