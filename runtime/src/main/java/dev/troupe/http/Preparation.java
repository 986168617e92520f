package dev.troupe.http;

import dev.troupe.config.HttpConfig;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The threads that read requests: parse, tokenise, fill chat templates, compile guides. A client chooses how long that takes, so
 * nothing else runs on them. Tenants that wait get them in turn, one request each. What waits is bounded, in number and in the bytes of
 * bodies, those that are still being received included, for all and for each tenant; what does not fit is refused at once. Thread-safe.
 */
final class Preparation implements AutoCloseable {
    private static final long IDLE_SECONDS = 30;

    private final HttpConfig.Preparing limits;
    private final ThreadPoolExecutor threads;
    private final Map<String, Tenant> tenants = new HashMap<>();

    /** Those that have something waiting, the next one first. */
    private final ArrayDeque<Tenant> turns = new ArrayDeque<>();

    private int busy;
    private int waiting;
    private long bytes;

    private static final class Tenant {
        final ArrayDeque<Runnable> queue = new ArrayDeque<>();
        long bytes;
    }

    Preparation(HttpConfig.Preparing limits) {
        this.limits = limits;
        // Their queue is empty but for the moment in which one of them is about to be free.
        this.threads = new ThreadPoolExecutor(
                limits.threads(),
                limits.threads(),
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().daemon().name("troupe-prepare-", 0).factory());
        this.threads.allowCoreThreadTimeOut(true);
    }

    /**
     * Makes room for a request.
     *
     * @param size of what is known of it, in bytes
     * @throws ApiError 503 if too much waits of all tenants, 429 of this one
     */
    Room room(String tenant, long size) {
        Room room = new Room(tenant);
        room.grow(size);
        return room;
    }

    /** Room for one request, from before it is received until it has been read. */
    final class Room implements AutoCloseable {
        private final Tenant tenant;
        private long size;
        private boolean closed;

        private Room(String name) {
            synchronized (Preparation.this) {
                tenant = tenants.computeIfAbsent(name, _ -> new Tenant());
            }
        }

        /**
         * More of the request is known.
         *
         * @throws ApiError as {@link Preparation#room}
         */
        void grow(long more) {
            synchronized (Preparation.this) {
                if (closed) {
                    return;
                }
                if (bytes + more > limits.mostBytes()) {
                    throw overloaded("%,d bytes of requests wait to be read, at most %,d do"
                            .formatted(bytes, limits.mostBytes()));
                }
                if (tenant.bytes + more > limits.mostBytesPerKey()) {
                    throw ApiError.tooMany("%,d bytes of requests of yours wait to be read, expected at most %,d"
                            .formatted(tenant.bytes, limits.mostBytesPerKey()));
                }
                size += more;
                tenant.bytes += more;
                bytes += more;
            }
        }

        /**
         * Reads the request on one of the threads, and gives its room back then. What is answered later does not hold the thread.
         *
         * @throws ApiError 503 if too many wait of all tenants, 429 of this one
         */
        <T> CompletionStage<T> read(Supplier<CompletionStage<T>> work) {
            try {
                return CompletableFuture.supplyAsync(() -> whileRoom(work), task -> submit(tenant, task))
                        .thenCompose(Function.identity());
            } catch (ApiError e) {
                close();
                throw e;
            }
        }

        private <T> T whileRoom(Supplier<T> work) {
            try {
                return work.get();
            } finally {
                close();
            }
        }

        /** It is not needed any more. */
        @Override
        public void close() {
            synchronized (Preparation.this) {
                if (!closed) {
                    closed = true;
                    tenant.bytes -= size;
                    bytes -= size;
                }
            }
        }
    }

    private void submit(Tenant tenant, Runnable task) {
        synchronized (this) {
            if (busy == limits.threads()) {
                enqueue(tenant, task);
                return;
            }
            busy++;
        }
        try {
            threads.execute(() -> work(task));
        } catch (RejectedExecutionException e) {
            synchronized (this) {
                busy--;
            }
            throw ApiError.ending();
        }
    }

    private void enqueue(Tenant tenant, Runnable task) {
        if (waiting >= limits.mostWaiting()) {
            throw overloaded("%d requests wait to be read, at most so many do".formatted(waiting));
        }
        int own = tenant.queue.size();
        if (own >= limits.mostWaitingPerKey()) {
            throw ApiError.tooMany("%d requests of yours wait to be read, expected at most so many".formatted(own));
        }
        if (own == 0) {
            turns.add(tenant);
        }
        tenant.queue.add(task);
        waiting++;
    }

    private void work(Runnable first) {
        for (Runnable task = first; task != null; task = next()) {
            task.run();
        }
    }

    /** Of the tenant whose turn it is; null if nothing waits, and then the thread is free. */
    private synchronized @Nullable Runnable next() {
        Tenant tenant = turns.poll();
        if (tenant == null) {
            busy--;
            return null;
        }
        Runnable task = tenant.queue.remove();
        waiting--;
        if (!tenant.queue.isEmpty()) {
            turns.add(tenant);
        }
        return task;
    }

    private static ApiError overloaded(String what) {
        return ApiError.unavailable("overloaded", what + "; come back later");
    }

    /** Threads that read, for tests. */
    synchronized int busy() {
        return busy;
    }

    /** Requests that wait. */
    synchronized int waiting() {
        return waiting;
    }

    /** Takes no more work; what waits is still done. */
    @Override
    public void close() {
        threads.shutdown();
    }
}
