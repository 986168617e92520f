package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.Troupe;
import dev.troupe.config.HttpConfig;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.jspecify.annotations.Nullable;

/** All routes of a server, and what they do. What is not here does not exist. */
final class Routes {
    private static final Duration DESCRIBED_WITHIN = Duration.ofSeconds(2);
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final HttpServer.Backend backend;
    private final HttpConfig config;
    private final Generations generations;
    private final Comebacks comebacks;
    private final Running running;
    private final FairQueue queue;
    private final HttpMetrics metrics;

    Routes(
            HttpServer.Backend backend,
            HttpConfig config,
            FairQueue queue,
            HttpMetrics metrics,
            Running running,
            Preparation preparation) {
        this.backend = backend;
        this.config = config;
        this.queue = queue;
        this.metrics = metrics;
        this.running = running;
        this.generations = new Generations(backend.troupe(), queue, metrics, running);
        this.comebacks = new Comebacks(backend, config.deadline(), generations, running, preparation);
    }

    /** All of them. */
    List<Route> all() {
        List<Route> routes = new ArrayList<>(Page.routes());
        routes.addAll(List.of(
                new Route("GET", "/status", Route.Access.KEY, this::status),
                new Route("GET", "/v1/models", Route.Access.KEY, this::models),
                new Route("GET", "/v1/models/{path}", Route.Access.KEY, this::model),
                new Route("POST", "/v1/completions", Route.Access.KEY, this::completions),
                new Route("POST", "/v1/chat/completions", Route.Access.KEY, this::chat),
                new Route("POST", "/v1/embeddings", Route.Access.KEY, this::embeddings),
                new Route("POST", "/tokenize", Route.Access.KEY, this::tokenize),
                new Route("POST", "/detokenize", Route.Access.KEY, this::detokenize),
                new Route("GET", "/v1/generations/{id}", Route.Access.KEY, this::resume),
                new Route("DELETE", "/v1/generations/{id}", Route.Access.KEY, this::cancel),
                new Route("GET", "/livez", Route.Access.ANYBODY, _ -> now(Responses.text("alive\n"))),
                new Route("GET", "/startupz", Route.Access.ANYBODY, _ -> now(Responses.text("started\n"))),
                new Route("GET", "/readyz", Route.Access.ANYBODY, this::ready),
                new Route("GET", "/health", Route.Access.ANYBODY, this::health),
                new Route("GET", "/metrics", Route.Access.KEY, this::metrics)));
        return List.copyOf(routes);
    }

    private static CompletionStage<HttpResponse> now(HttpResponse response) {
        return CompletableFuture.completedFuture(response);
    }

    // Models.

    private CompletionStage<HttpResponse> models(Exchange exchange) {
        ObjectNode list = JSON.objectNode();
        list.put("object", "list");
        list.putArray("data").add(describe());
        return now(Responses.json(list));
    }

    private CompletionStage<HttpResponse> model(Exchange exchange) {
        if (!exchange.id().equals(backend.model().id())) {
            throw ApiError.noSuchModel(exchange.id(), backend.model().id());
        }
        return now(Responses.json(describe()));
    }

    private ObjectNode describe() {
        ServedModel model = backend.model();
        ObjectNode node = JSON.objectNode();
        node.put("id", model.id());
        node.put("object", "model");
        node.put("created", model.created());
        node.put("owned_by", "troupe");
        node.put("max_model_len", model.contextLength());
        return node;
    }

    // Generations.

    private CompletionStage<HttpResponse> completions(Exchange exchange) {
        GenerationCall call = CompletionsRequest.read(exchange.body(), backend.model(), config.deadline());
        return generations.answer(exchange, new CompletionAnswer(call, backend.model()));
    }

    private CompletionStage<HttpResponse> chat(Exchange exchange) {
        return generations.answer(exchange, ChatRequest.read(exchange.body(), backend.model(), config.deadline()));
    }

    private CompletionStage<HttpResponse> embeddings(Exchange exchange) {
        EmbeddingsRequest request = EmbeddingsRequest.read(exchange.body(), backend.model(), config.deadline());
        return generations.answer(exchange, new EmbeddingsAnswer(request, backend.model(), config.mostRunning()));
    }

    /** Goes on with a stream, of this front end or of another one, after the event that the client has. */
    private CompletionStage<HttpResponse> resume(Exchange exchange) {
        int first = Math.toIntExact(1 + after(exchange));
        return comebacks
                .recording(exchange.tenant(), exchange.id())
                .thenApply(found -> Responses.events(found.orElseThrow(
                                () -> ApiError.notFound(
                                        "no generation of yours with this id can be resumed; ask with stream=true and resumable=true"))
                        .from(first)));
    }

    private static Optional<String> query(Exchange exchange) {
        try {
            return exchange.request().getUri().query().get("after");
        } catch (RuntimeException e) {
            return Optional.of("a malformed query");
        }
    }

    private static long after(Exchange exchange) {
        Optional<String> last = exchange.request()
                .getHeader("Last-Event-ID")
                .map(header -> header.value().substring(1 + header.value().lastIndexOf(':')));
        String text = last.or(() -> query(exchange)).orElse("-1");
        try {
            int after = Integer.parseInt(text.strip());
            if (after >= -1 && after < Integer.MAX_VALUE) {
                return after;
            }
        } catch (NumberFormatException e) {
            // refused below
        }
        throw ApiError.invalid("after", "after is not the number of an event, expected a whole number from -1");
    }

    private CompletionStage<HttpResponse> cancel(Exchange exchange) {
        return comebacks.cancel(exchange.tenant(), exchange.id()).thenApply(found -> cancelled(exchange.id(), found));
    }

    private static HttpResponse cancelled(String id, boolean found) {
        if (!found) {
            throw ApiError.notFound("no generation of yours with this id is running");
        }
        ObjectNode done = JSON.objectNode();
        done.put("id", id);
        done.put("object", "generation");
        done.put("cancelled", true);
        return Responses.json(done);
    }

    // Tokens.

    private CompletionStage<HttpResponse> tokenize(Exchange exchange) {
        Fields fields = new Fields(exchange.body(), "");
        fields.text("model");
        String text = fields.text("prompt").orElseThrow(() -> ApiError.invalid("prompt", "prompt is missing"));
        boolean special = fields.flag("add_special_tokens", true);
        fields.requireNoOthers();
        var tokenizer = backend.model().requireTokenizer("prompt");
        Ints ids = special ? tokenizer.encode(text) : tokenizer.encodeWithoutSpecial(text);
        ObjectNode node = JSON.objectNode();
        ArrayNode tokens = node.putArray("tokens");
        ids.stream().forEach(tokens::add);
        node.put("count", ids.size());
        node.put("max_model_len", backend.model().contextLength());
        return now(Responses.json(node));
    }

    private CompletionStage<HttpResponse> detokenize(Exchange exchange) {
        Fields fields = new Fields(exchange.body(), "");
        fields.text("model");
        List<Integer> ids = new ArrayList<>();
        for (JsonNode id : fields.array("tokens", config.maxBodyBytes())) {
            if (!id.isIntegralNumber() || !id.canConvertToInt()) {
                throw fields.expected("tokens", id, "token ids");
            }
            ids.add(id.intValue());
        }
        fields.requireNoOthers();
        Ints tokens = Ints.of(ids.stream().mapToInt(Integer::intValue).toArray());
        backend.model().requireKnown("tokens", tokens);
        ObjectNode node = JSON.objectNode();
        node.put("prompt", backend.model().requireTokenizer("tokens").decode(tokens));
        return now(Responses.json(node));
    }

    // How it is.

    private CompletionStage<@Nullable SchedulerStats> stats() {
        return backend.stats().get().handle((stats, failure) -> {
            metrics.note(failure == null ? stats : null);
            return failure == null ? stats : null;
        });
    }

    /** A full plan is placed, and its ranks have loaded. */
    private CompletionStage<HttpResponse> ready(Exchange exchange) {
        return stats().thenApply(stats -> stats != null && stats.serving()
                ? Responses.text("ready\n")
                : Responses.text("not ready: no full plan is placed\n").withStatus(503));
    }

    /** Whether it decodes: busy is healthy, as long as tokens come. */
    private CompletionStage<HttpResponse> health(Exchange exchange) {
        return stats().thenApply(stats -> {
            double silence = metrics.secondsWithoutProgress();
            boolean stalled = silence > config.stalledAfter().toMillis() / 1e3;
            boolean serving = stats != null && stats.serving();
            ObjectNode node = JSON.objectNode();
            node.put("status", stalled ? "stalled" : serving ? "ok" : "not ready");
            node.put("model", backend.model().id());
            node.put("serving", serving);
            node.put("running", queue.running());
            node.put("waiting", queue.waiting());
            node.put("seconds_without_progress", silence);
            if (stats != null) {
                node.put("epoch", stats.epoch().toString());
                node.put("running_sequences", stats.runningSequences());
                node.put("waiting_sequences", stats.waitingSequences());
                node.put("kv_blocks", stats.blocks());
                node.put("kv_blocks_free", stats.freeBlocks());
                node.put("epochs_lost", stats.epochsLost());
            }
            return Responses.json(stalled || !serving ? 503 : 200, node);
        });
    }

    private CompletionStage<HttpResponse> status(Exchange exchange) {
        CompletionStage<Troupe.@Nullable Description> description = backend.troupe()
                .describe(DESCRIBED_WITHIN)
                .<Troupe.@Nullable Description>handle((found, failure) -> failure == null ? found : null);
        return stats().thenCombine(
                        description,
                        (stats, found) -> Responses.json(
                                StatusReport.of(backend.model(), found, stats, running.of(exchange.tenant()))));
    }

    private CompletionStage<HttpResponse> metrics(Exchange exchange) {
        return stats().thenApply(_ -> Responses.text(metrics.text()));
    }
}
