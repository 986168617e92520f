package dev.troupe.http;

import dev.troupe.config.HttpConfig;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.stream.UniqueKillSwitch;

/**
 * The generations of this server that clients may name: those that run, and the recordings of those that they may come back to. It
 * ends what runs when the server ends. Thread-safe.
 */
final class Running {
    private final Map<Answer, Cancel> running = new HashMap<>();
    private final Recordings recordings;
    private final Map<Object, CompletableFuture<?>> waiting = new HashMap<>();
    private boolean ending;
    private volatile boolean over;

    private record Cancel(String tenant, UniqueKillSwitch killSwitch) {}

    Running(HttpConfig.Recordings limits) {
        this.recordings = new Recordings(
                limits,
                generation -> abort(
                        generation,
                        ApiError.unavailable(
                                "overloaded", "resumable streams have used up their memory; ask for a plain stream")));
    }

    /** Generations that wait for a place, and will not get it when the server ends. */
    void await(CompletableFuture<?> entered) {
        Object key = new Object();
        boolean refused;
        synchronized (this) {
            refused = ending;
            if (!refused) {
                waiting.put(key, entered);
            }
        }
        if (refused) {
            entered.completeExceptionally(ApiError.ending());
        }
        CompletableFuture<?> _ = entered.whenComplete((place, failure) -> {
            synchronized (this) {
                waiting.remove(key);
            }
        });
    }

    /** Those that wait do so no more, and no others begin to. */
    void refuseWaiting() {
        List<CompletableFuture<?>> refused;
        synchronized (this) {
            ending = true;
            refused = List.copyOf(waiting.values());
        }
        refused.forEach(entered -> entered.completeExceptionally(ApiError.ending()));
    }

    /** Whether what still runs ends because the server does. */
    boolean isOver() {
        return over;
    }

    /** Ends what still runs. Generations that clients can come back to elsewhere go on without this server. */
    synchronized void endAll() {
        over = true;
        running.values().forEach(one -> one.killSwitch().abort(ApiError.ending()));
    }

    synchronized void begin(String tenant, Answer answer, UniqueKillSwitch killSwitch) {
        running.put(answer, new Cancel(tenant, killSwitch));
        if (over) {
            killSwitch.abort(ApiError.ending());
        }
    }

    /** Ends the generations of an answer that nobody waits for. */
    synchronized void giveUp(Answer answer) {
        Cancel cancel = running.get(answer);
        if (cancel != null) {
            cancel.killSwitch().abort(new Generations.CancelledException("the client has hung up"));
        }
    }

    synchronized void end(Answer answer) {
        running.remove(answer);
    }

    private synchronized void abort(String generation, ApiError error) {
        running.forEach((answer, one) -> {
            if (answer.id().equals(generation)) {
                one.killSwitch().abort(error);
            }
        });
    }

    /** The streams that clients may come back to. */
    Recordings recordings() {
        return recordings;
    }

    /** A generation that runs. */
    record Generation(String id, int tokens) {}

    /** A tenant's generations, as far as they have begun. */
    synchronized List<Generation> of(String tenant) {
        return running.entrySet().stream()
                .filter(entry -> entry.getValue().tenant().equals(tenant))
                .map(entry -> new Generation(entry.getKey().id(), entry.getKey().completionTokens()))
                .sorted(Comparator.comparing(Generation::id))
                .toList();
    }

    /** Ends a tenant's generation; false if none of that name runs. */
    synchronized boolean cancel(String tenant, String generation) {
        return running.entrySet().stream()
                .filter(entry -> entry.getKey().id().equals(generation)
                        && entry.getValue().tenant().equals(tenant))
                .findFirst()
                .map(entry -> {
                    entry.getValue()
                            .killSwitch()
                            .abort(new Generations.CancelledException("the generation was cancelled"));
                    return true;
                })
                .orElse(false);
    }
}
