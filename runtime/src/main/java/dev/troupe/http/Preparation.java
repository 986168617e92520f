package dev.troupe.http;

import dev.troupe.config.HttpConfig;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The threads that read requests: parse, tokenise, fill chat templates, compile guides. A client chooses how long that takes, so
 * nothing else runs on them, and what does not fit into the queue before them is refused at once. Thread-safe.
 */
final class Preparation implements AutoCloseable {
    private static final long IDLE_SECONDS = 30;

    private final HttpConfig.Preparing limits;
    private final ThreadPoolExecutor threads;
    private final AtomicLong bytes = new AtomicLong();

    Preparation(HttpConfig.Preparing limits) {
        this.limits = limits;
        this.threads = new ThreadPoolExecutor(
                limits.threads(),
                limits.threads(),
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                limits.mostWaiting() == 0 ? new SynchronousQueue<>() : new LinkedBlockingQueue<>(limits.mostWaiting()),
                Thread.ofPlatform().daemon().name("troupe-prepare-", 0).factory());
        this.threads.allowCoreThreadTimeOut(true);
    }

    /**
     * Runs work on one of the threads; what it answers later does not hold the thread.
     *
     * @param size of the request, in bytes
     * @throws ApiError 503 if too much waits
     */
    <T> CompletionStage<T> run(long size, Supplier<CompletionStage<T>> work) {
        if (bytes.addAndGet(size) > limits.mostBytes()) {
            bytes.addAndGet(-size);
            throw full(
                    "%,d bytes of requests wait to be read, at most %,d do".formatted(bytes.get(), limits.mostBytes()));
        }
        try {
            return CompletableFuture.supplyAsync(() -> counted(size, work), threads)
                    .thenCompose(Function.identity());
        } catch (RejectedExecutionException e) {
            bytes.addAndGet(-size);
            throw full("%d requests wait to be read, at most so many do".formatted(limits.mostWaiting()));
        }
    }

    private <T> CompletionStage<T> counted(long size, Supplier<CompletionStage<T>> work) {
        try {
            return work.get();
        } finally {
            bytes.addAndGet(-size);
        }
    }

    private static ApiError full(String what) {
        return ApiError.unavailable("overloaded", what + "; come back later");
    }

    /** Requests that wait. */
    int waiting() {
        return threads.getQueue().size();
    }

    /** Takes no more work; what waits is still done. */
    @Override
    public void close() {
        threads.shutdown();
    }
}
