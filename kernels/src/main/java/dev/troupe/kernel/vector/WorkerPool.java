package dev.troupe.kernel.vector;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The threads of one shard: the caller and some daemon helpers that together run the numbered items of one piece of work
 * at a time. Who runs which item is left to chance, so items must not depend on each other; results then do not depend on
 * the number of threads.
 *
 * <p>Helpers spin for a while after an item, because the next operation of a model follows within microseconds, then they
 * park. A caller never waits for a helper that has not begun: it runs what is left itself. One thread may call.
 */
public final class WorkerPool implements AutoCloseable {
    /** Turns of {@link Thread#onSpinWait} before parking: some hundred microseconds. */
    private static final int SPINS = 20_000;

    /** Numbered items. */
    @FunctionalInterface
    public interface Work {
        /**
         * @param item 0 to the number of items − 1
         * @param worker 0 to threads − 1; one worker runs one item at a time, so it may own scratch memory
         */
        void run(int item, int worker);
    }

    private final Thread[] helpers;
    private final List<Integer> cores;
    private final AtomicIntegerArray parked;

    /** Upper half: the number of this piece of work; lower half: items that nobody has begun. */
    private final AtomicLong tickets = new AtomicLong();

    private final AtomicInteger unfinished = new AtomicInteger();
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    // Written by the caller before the tickets, read by whoever took a ticket.
    private @Nullable Work work;
    private int items;
    private int round;

    private @Nullable Thread pinnedCaller;
    private volatile @Nullable Thread waiter;
    private volatile boolean closed;

    /**
     * Leaves the choice of cores to the operating system.
     *
     * @param threads the caller's included
     * @throws IllegalArgumentException if there is not even one
     */
    public WorkerPool(int threads) {
        this(threads, List.of());
    }

    /**
     * @param threads the caller's included
     * @param cores where they stay, the caller on the first; empty to leave the choice to the operating system
     * @throws IllegalArgumentException if there is not even one thread, or there are cores for some threads only
     */
    public WorkerPool(int threads, List<Integer> cores) {
        if (threads < 1 || (!cores.isEmpty() && cores.size() != threads)) {
            throw new IllegalArgumentException(
                    "threads=%d, cores=%s, expected at least 1, and as many cores or none".formatted(threads, cores));
        }
        this.cores = List.copyOf(cores);
        helpers = new Thread[threads - 1];
        parked = new AtomicIntegerArray(helpers.length);
        for (int i = 0; i < helpers.length; i++) {
            int worker = i + 1;
            helpers[i] = Thread.ofPlatform()
                    .daemon()
                    .name("troupe-kernels-" + worker)
                    .unstarted(() -> help(worker));
        }
        for (Thread helper : helpers) {
            helper.start();
        }
    }

    /** Threads, the caller's included. */
    public int threads() {
        return helpers.length + 1;
    }

    /**
     * Runs all items and returns when they are done.
     *
     * @throws IllegalStateException if the pool is closed
     * @throws RuntimeException what an item threw; items that had not begun by then are not run
     */
    public void run(int items, Work work) {
        if (closed) {
            throw new IllegalStateException("the worker pool is closed");
        }
        if (!cores.isEmpty() && pinnedCaller != Thread.currentThread()) {
            pinnedCaller = Thread.currentThread();
            CoreAffinity.pin(cores.getFirst());
        }
        if (items <= 1 || helpers.length == 0) {
            for (int item = 0; item < items; item++) {
                work.run(item, 0);
            }
            return;
        }
        this.work = work;
        this.items = items;
        unfinished.set(items);
        tickets.set((long) ++round << 32 | items);
        wake(items - 1);
        participate(0);
        await();
        this.work = null;
        Throwable thrown = failure.getAndSet(null);
        if (thrown instanceof Error error) {
            throw error;
        }
        if (thrown instanceof RuntimeException exception) {
            throw exception;
        }
    }

    private void wake(int most) {
        for (int i = 0; i < helpers.length && i < most; i++) {
            if (parked.get(i) != 0) {
                LockSupport.unpark(helpers[i]);
            }
        }
    }

    /** Takes tickets until there are none. A ticket keeps the fields of its piece of work from changing. */
    private void participate(int worker) {
        while (true) {
            long ticket = tickets.get();
            int left = (int) ticket;
            if (left == 0) {
                return;
            }
            if (tickets.compareAndSet(ticket, ticket - 1)) {
                runItem(items - left, worker);
            }
        }
    }

    private void runItem(int item, int worker) {
        try {
            Work current = work;
            if (current != null && failure.get() == null) {
                current.run(item, worker);
            }
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        } finally {
            if (unfinished.decrementAndGet() == 0) {
                LockSupport.unpark(waiter);
            }
        }
    }

    private void await() {
        for (int spins = 0; unfinished.get() != 0; spins++) {
            if (spins < SPINS) {
                Thread.onSpinWait();
            } else {
                waiter = Thread.currentThread();
                if (unfinished.get() != 0) {
                    LockSupport.park(this);
                }
                waiter = null;
            }
        }
    }

    private void help(int worker) {
        if (!cores.isEmpty()) {
            CoreAffinity.pin(cores.get(worker));
        }
        int spins = 0;
        while (!closed) {
            if ((int) tickets.get() != 0) {
                participate(worker);
                spins = 0;
            } else if (spins++ < SPINS) {
                Thread.onSpinWait();
            } else {
                parked.set(worker - 1, 1);
                if ((int) tickets.get() == 0 && !closed) {
                    LockSupport.park(this);
                }
                parked.set(worker - 1, 0);
                spins = 0;
            }
        }
    }

    /** Ends the helpers; they are gone when it returns. Harmless when called again. */
    @Override
    public void close() {
        closed = true;
        boolean interrupted = false;
        for (Thread helper : helpers) {
            LockSupport.unpark(helper);
            while (helper.isAlive()) {
                try {
                    helper.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
