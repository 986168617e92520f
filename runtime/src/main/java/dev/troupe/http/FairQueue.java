package dev.troupe.http;

import dev.troupe.serving.Precedence;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Who is served next: at most so many generations run, and requests that wait are taken by weighted fair queueing (start-time fair
 * queueing, Goyal, Vin and Cheng 1996): a tenant that is busy gets its weight's share of the tokens, one that was idle saves
 * nothing up. Which of a tenant's requests has the tenant's turn is a matter of their {@link Precedence}, which no other tenant
 * feels. Queues are bounded: what does not fit is refused at once. Thread-safe.
 */
final class FairQueue {
    private final int mostRunning;
    private final int mostWaiting;
    private final int mostWaitingOfOne;
    private final Map<String, Integer> weights;
    private final Map<String, Tenant> tenants = new TreeMap<>();
    private double virtualTime;
    private int running;
    private int waiting;

    /** A place among those that run, until it is closed. */
    interface Place extends AutoCloseable {
        @Override
        void close();
    }

    private static final class Tenant {
        final TreeSet<Waiting> queue = new TreeSet<>(FIRST);
        long arrivals;
        int waiting;

        /** When its next request begins, whichever that is: when the one before it ends; in virtual time. */
        double start;
    }

    /**
     * @param arrival counts the requests of its tenant
     * @param rank its place among those
     */
    private record Waiting(long arrival, long rank, int count, double cost, CompletableFuture<Place> entered) {}

    private static final Comparator<Waiting> FIRST =
            Comparator.comparingLong(Waiting::rank).thenComparingLong(Waiting::arrival);

    /**
     * @param mostRunning generations that run at a time
     * @param mostWaiting generations that wait, of all tenants
     * @param mostWaitingOfOne generations that wait, of one tenant
     * @param weights shares of tenants; 1 for those that are not in it
     */
    FairQueue(int mostRunning, int mostWaiting, int mostWaitingOfOne, Map<String, Integer> weights) {
        this.mostRunning = mostRunning;
        this.mostWaiting = mostWaiting;
        this.mostWaitingOfOne = mostWaitingOfOne;
        this.weights = Map.copyOf(weights);
    }

    /**
     * Waits for a place. One that is not wanted any more is given up by cancelling what is returned.
     *
     * @param priority among the tenant's requests, as in {@link Precedence}
     * @param count generations of the request
     * @param tokens that it may take, prompts included
     * @throws ApiError 429 if too much of the tenant waits, 503 if too much of all does, 400 if it could never run
     */
    CompletableFuture<Place> enter(String tenant, int priority, int count, long tokens) {
        CompletableFuture<Place> entered = new CompletableFuture<>();
        synchronized (this) {
            requireRoom(tenant, count);
            Tenant own = tenants.computeIfAbsent(tenant, name -> new Tenant());
            if (own.queue.isEmpty()) {
                own.start = Math.max(virtualTime, own.start);
            }
            double cost = (double) tokens / weights.getOrDefault(tenant, 1);
            long arrival = ++own.arrivals;
            long rank = new Precedence(priority, tenant).rank(arrival);
            Waiting last = new Waiting(arrival, rank, count, cost, entered);
            own.queue.add(last);
            own.waiting += count;
            waiting += count;
            CompletableFuture<Place> _ = entered.whenComplete((place, failure) -> {
                if (failure != null) {
                    leave(own, last);
                }
            });
        }
        serve();
        return entered;
    }

    /** Somebody waits no more. */
    private void leave(Tenant tenant, Waiting left) {
        synchronized (this) {
            if (!tenant.queue.remove(left)) {
                return;
            }
            tenant.waiting -= left.count();
            waiting -= left.count();
        }
        serve();
    }

    private void requireRoom(String tenant, int count) {
        if (count > mostRunning) {
            throw ApiError.invalid(
                    "n", "%d generations in one request, expected at most %d".formatted(count, mostRunning));
        }
        if (waiting == 0 && running + count <= mostRunning) {
            return;
        }
        Tenant own = tenants.get(tenant);
        int ownWaiting = own == null ? 0 : own.waiting;
        if (ownWaiting + count > mostWaitingOfOne) {
            throw ApiError.tooMany("%d generations of yours wait and %d more were asked for, expected at most %d"
                    .formatted(ownWaiting, count, mostWaitingOfOne));
        }
        if (waiting + count > mostWaiting) {
            throw ApiError.unavailable(
                    "overloaded",
                    "%d generations wait, at most %d do; come back later".formatted(waiting, mostWaiting));
        }
    }

    /** Lets in who is next, as long as there is room. Places are given away without the lock. */
    private void serve() {
        record Entering(CompletableFuture<Place> entered, Place place) {}
        List<Entering> entering = new ArrayList<>();
        synchronized (this) {
            for (Tenant tenant = next(); tenant != null; tenant = next()) {
                Waiting first = tenant.queue.removeFirst();
                tenant.waiting -= first.count();
                waiting -= first.count();
                virtualTime = Math.max(virtualTime, tenant.start);
                tenant.start += first.cost();
                running += first.count();
                entering.add(new Entering(first.entered(), place(first.count())));
            }
        }
        for (Entering one : entering) {
            if (!one.entered().complete(one.place())) {
                one.place().close();
            }
        }
    }

    /** The tenant whose next request begins at the earliest virtual time, if that request has room. */
    private @Nullable Tenant next() {
        return tenants.values().stream()
                .filter(tenant -> !tenant.queue.isEmpty())
                .min(Comparator.comparingDouble(tenant -> tenant.start))
                .filter(tenant -> running + tenant.queue.first().count() <= mostRunning)
                .orElse(null);
    }

    private Place place(int count) {
        return new Place() {
            private boolean left;

            @Override
            public void close() {
                synchronized (FairQueue.this) {
                    if (left) {
                        return;
                    }
                    left = true;
                    running -= count;
                }
                serve();
            }
        };
    }

    /** Generations that run. */
    synchronized int running() {
        return running;
    }

    /** Generations that wait. */
    synchronized int waiting() {
        return waiting;
    }

    /** What is waited for is not wanted any more once {@code gone} has ended. */
    static void giveUpWhen(CompletionStage<?> gone, CompletableFuture<Place> entered) {
        gone.whenComplete((ended, failure) -> entered.cancel(false));
    }
}
