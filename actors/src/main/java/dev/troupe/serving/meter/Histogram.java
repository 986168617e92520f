package dev.troupe.serving.meter;

import java.util.List;

/**
 * How often values fell into ranges.
 *
 * @param bounds ascending upper ends of the ranges, inclusive; one more range has no end
 * @param counts values in each range, the last one's at the end
 * @param sum of all values
 */
public record Histogram(List<Double> bounds, List<Long> counts, double sum) {
    /** Nothing yet, in no ranges but one. */
    public static final Histogram NONE = new Histogram(List.of(), List.of(0L), 0);

    public Histogram {
        bounds = List.copyOf(bounds);
        counts = List.copyOf(counts);
        if (counts.size() != bounds.size() + 1) {
            throw new IllegalArgumentException("bounds=%d, counts=%d; expected a count for each bound and one more"
                    .formatted(bounds.size(), counts.size()));
        }
    }

    /** Values in all. */
    public long count() {
        return counts.stream().mapToLong(Long::longValue).sum();
    }
}
