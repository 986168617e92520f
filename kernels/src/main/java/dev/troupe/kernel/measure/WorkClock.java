package dev.troupe.kernel.measure;

import java.util.Arrays;

/** How long work takes on a device. */
public interface WorkClock {
    /**
     * Times work, after runs that warm up.
     *
     * @param passes that are timed, at least 1
     * @param work done once a pass; on a GPU it is noted as a graph, so it waits for nothing
     * @return the median, seconds
     */
    double medianSeconds(int passes, Runnable work);

    /** A clock for kernels that have done their work when they return; it warms up for some tenths of a second. */
    static WorkClock ofHost() {
        return (passes, work) -> {
            long warm = System.nanoTime() + 300_000_000;
            do {
                work.run();
            } while (System.nanoTime() - warm < 0);
            long[] nanos = new long[passes];
            for (int pass = 0; pass < passes; pass++) {
                long start = System.nanoTime();
                work.run();
                nanos[pass] = System.nanoTime() - start;
            }
            Arrays.sort(nanos);
            return nanos[passes / 2] / 1e9;
        };
    }
}
