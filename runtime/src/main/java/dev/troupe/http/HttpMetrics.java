package dev.troupe.http;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.SchedulerStats;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** What Prometheus reads of this server: its own requests, and what the scheduler told last. Thread-safe. */
final class HttpMetrics implements AutoCloseable {
    private static final Duration[] BUCKETS = {
        Duration.ofMillis(5),
        Duration.ofMillis(10),
        Duration.ofMillis(25),
        Duration.ofMillis(50),
        Duration.ofMillis(100),
        Duration.ofMillis(250),
        Duration.ofMillis(500),
        Duration.ofSeconds(1),
        Duration.ofMillis(2500),
        Duration.ofSeconds(5),
        Duration.ofSeconds(10),
        Duration.ofSeconds(30),
        Duration.ofSeconds(60)
    };

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final JvmGcMetrics collections = new JvmGcMetrics();
    private final Timer firstToken = timer("troupe.first.token", "From a request to its first token");
    private final Timer betweenTokens = timer("troupe.between.tokens", "From one token of a completion to the next");
    private final Counter promptTokens = counter("troupe.prompt.tokens", "Tokens of accepted prompts");
    private final Counter completionTokens = counter("troupe.completion.tokens", "Tokens that clients were given");
    private volatile @Nullable SchedulerStats stats;
    private volatile long lastProgressNanos = System.nanoTime();

    HttpMetrics(FairQueue queue) {
        new JvmMemoryMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        collections.bindTo(registry);
        Gauge.builder("troupe.requests.running", queue, FairQueue::running)
                .description("Generations that this server runs for clients")
                .register(registry);
        Gauge.builder("troupe.requests.waiting", queue, FairQueue::waiting)
                .description("Generations that wait at this server")
                .register(registry);
        gauge(
                "troupe.generations",
                "Generations that the scheduler knows, running and waiting",
                SchedulerStats::generations);
        gauge("troupe.sequences.running", "Sequences that hold KV blocks", SchedulerStats::runningSequences);
        gauge("troupe.sequences.waiting", "Sequences that wait for KV blocks", SchedulerStats::waitingSequences);
        gauge("troupe.kv.blocks", "KV blocks in all", SchedulerStats::blocks);
        gauge("troupe.kv.blocks.used", "KV blocks that sequences hold", SchedulerStats::usedBlocks);
        gauge("troupe.kv.blocks.free", "KV blocks that can be allocated", SchedulerStats::freeBlocks);
        gauge("troupe.kv.blocks.retiring", "KV blocks that wait for a step", SchedulerStats::retiringBlocks);
        gauge(
                "troupe.kv.blocks.cached",
                "KV blocks whose content can be found",
                stats -> stats.prefixes().cachedBlocks());
        gauge(
                "troupe.prefix.hit.tokens",
                "Prompt tokens that were found and not computed",
                stats -> stats.prefixes().hitTokens());
        gauge(
                "troupe.prefix.queried.tokens",
                "Prompt tokens that were looked for",
                stats -> stats.prefixes().queriedTokens());
        gauge(
                "troupe.prefix.evictions",
                "KV blocks given to others while they could be found",
                stats -> stats.prefixes().evictions());
        gauge("troupe.steps", "Steps that have ended, in all epochs", SchedulerStats::steps);
        gauge("troupe.computed.tokens", "Tokens that steps have computed", SchedulerStats::tokens);
        gauge("troupe.preemptions", "Sequences put back because blocks ran out", SchedulerStats::preemptions);
        gauge("troupe.epochs.lost", "Epochs that ended by a loss", SchedulerStats::epochsLost);
        gauge("troupe.epochs.left", "Epochs left for a better one", SchedulerStats::epochsLeft);
        gauge("troupe.stale.results", "Results of other epochs, dropped", SchedulerStats::staleResults);
        registry.getPrometheusRegistry().register(new PipelineMetrics(() -> stats));
    }

    private Timer timer(String name, String description) {
        return Timer.builder(name)
                .description(description)
                .serviceLevelObjectives(BUCKETS)
                .register(registry);
    }

    private Counter counter(String name, String description) {
        return Counter.builder(name).description(description).register(registry);
    }

    private void gauge(String name, String description, ToDoubleFunction<SchedulerStats> value) {
        Gauge.builder(name, this, metrics -> {
                    SchedulerStats now = metrics.stats;
                    return now == null ? Double.NaN : value.applyAsDouble(now);
                })
                .description(description)
                .register(registry);
    }

    /** What the scheduler says of itself now; null if it says nothing. */
    void note(@Nullable SchedulerStats now) {
        SchedulerStats before = stats;
        stats = now;
        if (now == null || !isBusy(now) || before == null || before.tokens() != now.tokens()) {
            lastProgressNanos = System.nanoTime();
        }
    }

    /** A request has been answered. */
    void answered(String route, int status) {
        Counter.builder("troupe.http.requests")
                .description("Requests by route and status")
                .tag("route", route)
                .tag("status", Integer.toString(status))
                .register(registry)
                .increment();
    }

    void failed(GenerationFailure.Kind kind) {
        Counter.builder("troupe.failures")
                .description("Generations that failed, by kind")
                .tag("kind", kind.name().toLowerCase(Locale.ROOT))
                .register(registry)
                .increment();
    }

    void prompt(int tokens) {
        promptTokens.increment(tokens);
    }

    /**
     * A client has got a token.
     *
     * @param first whether it is the first of the request
     * @param nanos since the token before it, or since the request
     */
    void token(boolean first, long nanos) {
        completionTokens.increment();
        (first ? firstToken : betweenTokens).record(Duration.ofNanos(nanos));
        lastProgressNanos = System.nanoTime();
    }

    private static boolean isBusy(SchedulerStats stats) {
        return stats.runningSequences() + stats.waitingSequences() > 0;
    }

    /** Since the scheduler was last seen to get further or to have nothing to do, or a client got a token. */
    double secondsWithoutProgress() {
        return (System.nanoTime() - lastProgressNanos) / 1e9;
    }

    /** The text that Prometheus reads. */
    String text() {
        return registry.scrape();
    }

    @Override
    public void close() {
        collections.close();
        registry.close();
    }
}
