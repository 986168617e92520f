package dev.troupe.kernel;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.function.IntConsumer;

/** Threads that do the same thing at the same time, again and again, by the clock. */
final class CeilingRun {
    private static final int WARM_UP = 2;

    private CeilingRun() {}

    /**
     * Times passes, after two that warm up.
     *
     * @param work what a thread does in a pass, given its number from 0
     * @return median seconds from the start of all threads to the end of the last
     */
    static double medianSeconds(int threads, int passes, IntConsumer work) {
        long[] nanos = new long[passes + WARM_UP];
        CyclicBarrier barrier = new CyclicBarrier(threads + 1);
        List<Thread> workers = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int number = t;
            workers.add(Thread.ofPlatform().daemon().name("ceiling-" + t).start(() -> {
                for (int pass = 0; pass < nanos.length; pass++) {
                    await(barrier);
                    work.accept(number);
                    await(barrier);
                }
            }));
        }
        for (int pass = 0; pass < nanos.length; pass++) {
            await(barrier);
            long start = System.nanoTime();
            await(barrier);
            nanos[pass] = System.nanoTime() - start;
        }
        workers.forEach(CeilingRun::join);
        long[] timed = Arrays.copyOfRange(nanos, WARM_UP, nanos.length);
        Arrays.sort(timed);
        return timed[timed.length / 2] / 1e9;
    }

    private static void await(CyclicBarrier barrier) {
        try {
            barrier.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException("measuring a ceiling was interrupted", e);
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException("measuring a ceiling was interrupted", e);
        }
    }
}
