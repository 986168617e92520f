package dev.troupe.chaos;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.stream.javadsl.Sink;
import org.jspecify.annotations.Nullable;

/**
 * One experiment: a request undisturbed, then again with a fault in the middle, and what the difference is.
 *
 * @param role whom the fault is for, as {@link Chaos#find} takes it
 * @param seed for a random role
 * @param fault what happens
 * @param alsoAt beside the victim, nodes that get a fault of their own at the same time: the other side of a cut
 * @param at when
 * @param patience how long the disturbed stream may take
 */
public record ChaosRun(String role, long seed, Fault fault, List<Beside> alsoAt, Moment at, Duration patience) {
    private static final Duration DESCRIBE_WITHIN = Duration.ofSeconds(10);
    private static final Duration PATIENCE = Duration.ofMinutes(5);
    private static final long EPOCHS_EVERY_MILLIS = 200;
    private static final double NANOS_PER_MILLI = 1e6;

    public ChaosRun {
        alsoAt = List.copyOf(alsoAt);
    }

    /** A fault at one more node. */
    public record Beside(String node, Fault fault) {}

    /** A fault at one node. */
    public static ChaosRun of(String role, Fault fault, int atToken) {
        return of(role, fault, new Moment.AtToken(atToken));
    }

    /** A fault at one node. */
    public static ChaosRun of(String role, Fault fault, Moment at) {
        return new ChaosRun(role, 0, fault, List.of(), at, PATIENCE);
    }

    /**
     * How it went.
     *
     * @param role who played the victim
     * @param evidence whether the fault took effect
     * @param difference the first difference from the undisturbed stream, or empty
     * @param tokens completion tokens of the disturbed stream
     * @param gapMillis longest time without a token after the fault, in milliseconds
     * @param usualMillis median time between two tokens, in milliseconds
     * @param epochs that served during the disturbed stream, as far as they were seen
     */
    public record Outcome(
            Chaos.Role role,
            Evidence evidence,
            Optional<String> difference,
            int tokens,
            double gapMillis,
            double usualMillis,
            List<String> epochs) {
        public Outcome {
            epochs = List.copyOf(epochs);
        }

        /** Whether the fault was real and nobody can tell from the stream. */
        public boolean isIdentical() {
            return evidence.tookEffect() && difference.isEmpty();
        }
    }

    /** The undisturbed stream of {@code request}. */
    public static StreamWatch undisturbed(Troupe troupe, TextRequest request)
            throws InterruptedException, ExecutionException {
        StreamWatch watch = StreamWatch.ofPeace();
        start(troupe, request, watch).get();
        return watch;
    }

    /** With a salt of its own: a stream whose prompt is remembered has no prefill that a fault could disturb. */
    private static CompletableFuture<?> start(Troupe troupe, TextRequest request, StreamWatch watch) {
        return troupe.generate(request.withCacheSalt("chaos-" + UUID.randomUUID()))
                .runWith(Sink.foreach(watch::on), troupe.system())
                .toCompletableFuture();
    }

    /**
     * Runs the disturbed stream.
     *
     * @param undisturbed what {@link #undisturbed} gave for the same request
     * @throws ChaosRefusedException if the victim's node does not inject faults
     */
    public Outcome run(Troupe troupe, TextRequest request, StreamWatch undisturbed)
            throws ChaosRefusedException, InterruptedException, ExecutionException {
        int token = tokenWithin(undisturbed);
        Chaos chaos = new Chaos(troupe.system());
        Chaos.Role victim = Chaos.find(
                troupe.describe(DESCRIBE_WITHIN).toCompletableFuture().get(), role, seed);
        ChaosAgent.Observation before = Evidence.observe(chaos, victim.node());
        CompletableFuture<Evidence> evidence = new CompletableFuture<>();
        StreamWatch watch = new StreamWatch(token, () -> {
            chaos.inject(victim.node(), fault);
            alsoAt.forEach(beside -> chaos.inject(beside.node(), beside.fault()));
            Thread.ofVirtual().start(() -> look(chaos, victim, before, evidence));
        });
        Set<String> epochs = new ConcurrentSkipListSet<>();
        CompletableFuture<?> stream = start(troupe, request, watch);
        if (at instanceof Moment.Prefill(Duration after)) {
            TimeUnit.NANOSECONDS.sleep(
                    after.isZero() ? (long) (undisturbed.firstMillis() / 2 * NANOS_PER_MILLI) : after.toNanos());
            watch.actBeforeTheFirstToken();
        }
        String failure = await(troupe, stream, epochs);
        if (!watch.hasActed()) {
            evidence.complete(new Evidence(
                    false,
                    token == 0
                            ? "the first token came before the fault"
                            : "the stream had %d tokens, so token %d never came".formatted(watch.tokens(), token)));
        }
        Optional<String> difference = failure == null
                ? undisturbed.differenceFrom(watch)
                : Optional.of("the stream ended after %d tokens: %s".formatted(watch.tokens(), failure));
        return new Outcome(
                victim,
                evidence.get(),
                difference,
                watch.tokens(),
                watch.gapMillis(),
                watch.usualMillis(),
                List.copyOf(epochs));
    }

    /** At which token the fault is to happen, 0 for before the first. */
    private int tokenWithin(StreamWatch undisturbed) {
        int token = at instanceof Moment.AtToken(int count) ? count : 0;
        if (undisturbed.tokens() < token) {
            throw new IllegalArgumentException(
                    "the undisturbed stream has %d tokens, so nothing can happen at token %d; ask for more tokens or for an earlier one"
                            .formatted(undisturbed.tokens(), token));
        }
        return token;
    }

    private void look(
            Chaos chaos, Chaos.Role victim, ChaosAgent.Observation before, CompletableFuture<Evidence> evidence) {
        try {
            evidence.complete(Evidence.await(chaos, victim.node(), fault, before));
        } catch (InterruptedException | RuntimeException e) {
            evidence.complete(new Evidence(false, "looking for the fault failed: " + e));
        }
    }

    /** Waits for the end of the stream, collecting epochs; returns why it failed, or null. */
    private @Nullable String await(Troupe troupe, CompletableFuture<?> stream, Set<String> epochs)
            throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        boolean over = false;
        while (!over) {
            CompletableFuture<Void> noted = troupe.describe(DESCRIBE_WITHIN)
                    .thenAccept(now -> {
                        if (now.ready()) {
                            epochs.add(now.epoch());
                        }
                    })
                    .toCompletableFuture();
            try {
                stream.get(EPOCHS_EVERY_MILLIS, TimeUnit.MILLISECONDS);
                noted.exceptionally(unanswered -> null).get();
                return null;
            } catch (ExecutionException e) {
                Throwable cause = e.getCause();
                return String.valueOf(cause == null ? e : cause.getMessage());
            } catch (TimeoutException e) {
                over = System.nanoTime() - end > 0;
            }
        }
        return "it was given up after %d s without an end".formatted(patience.toSeconds());
    }
}
