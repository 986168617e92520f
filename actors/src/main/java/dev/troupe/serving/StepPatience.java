package dev.troupe.serving;

import java.time.Duration;

/**
 * How long to wait for the result of a step before its epoch counts as lost: a multiple of what its work should take by
 * the slowest recent rate, and never less than a minimum. Owned by one thread.
 */
final class StepPatience {
    /** A step may take this many times what it should. */
    private static final double FACTOR = 20;

    /** What remains of an old slow step's weight with every newer one. */
    private static final double DECAY = 0.95;

    /** One step raises what the next ones may take to no more than so many times: it may have met a pause. */
    private static final double RISE = 2;

    /** Steps of cold code: the one after them is the first that says how long steps take. */
    private static final int COLD = 1;

    private final Duration first;
    private final Duration least;
    private int measured;
    private double nanosPerToken;
    private double nanosPerStep;

    /**
     * Without a measurement yet.
     *
     * @param first for steps before the first result: code is cold and weights may still be read from disk
     * @param least never less than this
     */
    StepPatience(Duration first, Duration least) {
        this.first = first;
        this.least = least;
    }

    /** A step of {@code tokens} tokens took {@code nanos} of the replica's time. */
    void measured(long nanos, int tokens) {
        if (measured <= COLD) {
            measured++;
            nanosPerToken = (double) nanos / tokens;
            nanosPerStep = (double) nanos;
            return;
        }
        nanosPerToken = next(nanosPerToken, (double) nanos / tokens);
        nanosPerStep = next(nanosPerStep, (double) nanos);
    }

    private static double next(double known, double measured) {
        return Math.max(known * DECAY, Math.min(known * RISE, measured));
    }

    /** For the oldest step in flight, of {@code tokens} tokens. */
    Duration of(int tokens) {
        if (measured == 0) {
            return first;
        }
        // A cast of a double that is too large gives the largest long.
        Duration derived = Duration.ofNanos((long) (FACTOR * Math.max(nanosPerStep, nanosPerToken * tokens)));
        return derived.compareTo(least) > 0 ? derived : least;
    }
}
