package dev.troupe.serving.meter;

import java.util.Arrays;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;

/** A {@link Histogram} that grows. Owned by one thread. */
final class Tallies {
    private final double[] bounds;
    private final long[] counts;
    private double sum;

    /** @param bounds ascending upper ends of the ranges, inclusive */
    Tallies(double... bounds) {
        this.bounds = bounds.clone();
        this.counts = new long[bounds.length + 1];
    }

    void add(double value) {
        int found = Arrays.binarySearch(bounds, value);
        counts[found < 0 ? -1 - found : found]++;
        sum += value;
    }

    Histogram now() {
        return new Histogram(
                DoubleStream.of(bounds).boxed().toList(),
                LongStream.of(counts).boxed().toList(),
                sum);
    }
}
