package dev.troupe.serving;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * When a replica that runs in a smaller split than it could takes the larger one: when that has been possible for a while,
 * at once if nothing has to be computed again for it, else at a moment when that is little, but not for ever. A replica that
 * has just grown and is small again waits twice as long. Owned by one thread.
 */
final class Growth {
    /** A busy replica waits so many times as long for a moment that costs little. */
    private static final int PATIENCE = 6;

    /** It has just grown for so many waits. */
    private static final int JUST = 10;

    private static final Duration MOST = Duration.ofMinutes(5);

    private final Duration first;
    private final LongSupplier nanoTime;
    private Duration wait;
    private @Nullable Long possibleSince;
    private @Nullable Long grew;

    /**
     * @param first how long it must be possible; zero never grows
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    Growth(Duration first, LongSupplier nanoTime) {
        this.first = first;
        this.wait = first;
        this.nanoTime = nanoTime;
    }

    /** Whether it ever grows. */
    boolean isWanted() {
        return first.isPositive();
    }

    /** A new epoch serves. */
    void begin() {
        possibleSince = null;
    }

    /**
     * Notes what is possible.
     *
     * @param larger whether a larger split is
     * @param cheap whether there is little to compute again
     * @return whether to grow now
     */
    boolean isDue(boolean larger, boolean cheap) {
        if (!isWanted() || !larger) {
            possibleSince = null;
            return false;
        }
        long now = nanoTime.getAsLong();
        if (possibleSince == null) {
            possibleSince = now;
        }
        Duration possible = Duration.ofNanos(now - possibleSince);
        return possible.compareTo(cheap ? wait : wait.multipliedBy(PATIENCE)) >= 0;
    }

    /** It grows now. */
    void grow() {
        long now = nanoTime.getAsLong();
        boolean again = grew != null && now - grew < wait.multipliedBy(JUST).toNanos();
        Duration twice = wait.multipliedBy(2);
        wait = again ? twice.compareTo(MOST) > 0 ? MOST : twice : first;
        grew = now;
        possibleSince = null;
    }
}
