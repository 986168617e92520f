package dev.troupe.load;

/**
 * Durations in nanoseconds, counted in buckets that are wider the longer they are, so that memory does not grow and a percentile is at
 * most {@value #ERROR_PERCENT} % too high and never too low; count, mean, least and most are exact. May be used by many threads.
 */
public final class Latencies {
    /** How much too high a percentile may be. */
    public static final double ERROR_PERCENT = 0.4;

    /** Every power of two is cut into so many buckets. */
    private static final int CUTS_LOG2 = 8;

    private static final int CUTS = 1 << CUTS_LOG2;

    private final long[] counts = new long[(Long.SIZE - CUTS_LOG2) * CUTS];
    private long count;
    private double sum;
    private long least = Long.MAX_VALUE;
    private long most;

    /** Adds a duration; below zero it counts as zero. */
    public synchronized void add(long nanos) {
        long value = Math.max(0, nanos);
        counts[bucket(value)]++;
        count++;
        sum += value;
        least = Math.min(least, value);
        most = Math.max(most, value);
    }

    /** How many there are. */
    public synchronized long count() {
        return count;
    }

    /** Seconds that they take on average; 0 of none. */
    public synchronized double mean() {
        return count == 0 ? 0 : sum / count / 1e9;
    }

    /** Seconds of the longest; 0 of none. */
    public synchronized double max() {
        return most / 1e9;
    }

    /**
     * Seconds that at least {@code percent} of them do not exceed, by the nearest rank; 0 of none.
     *
     * @throws IllegalArgumentException if {@code percent} is not from 0 to 100
     */
    public synchronized double percentile(double percent) {
        if (!(percent >= 0 && percent <= 100)) {
            throw new IllegalArgumentException("percent=%s, expected 0 to 100".formatted(percent));
        }
        if (count == 0) {
            return 0;
        }
        long rank = Math.max(1, (long) Math.ceil(percent / 100 * count));
        long seen = 0;
        for (int bucket = 0; bucket < counts.length; bucket++) {
            seen += counts[bucket];
            if (seen >= rank) {
                return Math.max(least, Math.min(most, last(bucket))) / 1e9;
            }
        }
        throw new IllegalStateException("rank=%d of count=%d".formatted(rank, count));
    }

    /** Small values have buckets of their own; of others the leading bits choose. */
    private static int bucket(long value) {
        int shift = Math.max(0, Long.SIZE - Long.numberOfLeadingZeros(value) - CUTS_LOG2 - 1);
        return (shift << CUTS_LOG2) + (int) (value >>> shift);
    }

    /** The highest value that falls into a bucket. */
    private static long last(int bucket) {
        if (bucket < 2 * CUTS) {
            return bucket;
        }
        int shift = (bucket >> CUTS_LOG2) - 1;
        long lead = bucket - ((long) shift << CUTS_LOG2);
        return ((lead + 1) << shift) - 1;
    }
}
