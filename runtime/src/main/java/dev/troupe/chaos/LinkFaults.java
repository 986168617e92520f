package dev.troupe.chaos;

import java.time.Duration;

/**
 * What is wrong with a link that goes through a {@link TcpProxy}.
 *
 * @param cutEvery how long it works between two cuts, on average: half as long to one and a half times as long; zero for no cuts
 * @param cutFor how long a cut lasts, on average as above
 * @param reset whether a cut closes all connections and refuses new ones; else nothing passes, and goes on afterwards
 * @param delay of every byte, in each direction
 * @param bytesPerSecond most that pass in one direction of one connection; 0 for no limit
 * @param flipEvery bytes between two flipped bits of one direction of one connection, on average; 0 for none
 * @param seed draws the cuts and the bits
 */
public record LinkFaults(
        Duration cutEvery,
        Duration cutFor,
        boolean reset,
        Duration delay,
        long bytesPerSecond,
        long flipEvery,
        long seed) {
    /** A link that works. */
    public static final LinkFaults NONE = new LinkFaults(Duration.ZERO, Duration.ZERO, false, Duration.ZERO, 0, 0, 1);

    public LinkFaults {
        if (cutEvery.isNegative() || cutFor.isNegative() || delay.isNegative() || bytesPerSecond < 0 || flipEvery < 0) {
            throw new IllegalArgumentException(
                    "cutEvery=%s, cutFor=%s, delay=%s, bytesPerSecond=%d, flipEvery=%d; expected 0 or more of each"
                            .formatted(cutEvery, cutFor, delay, bytesPerSecond, flipEvery));
        }
        if (cutEvery.isPositive() != cutFor.isPositive()) {
            throw new IllegalArgumentException(
                    "cutEvery=%s and cutFor=%s; a link that is cut needs both".formatted(cutEvery, cutFor));
        }
    }

    /** The same, cut now and then. */
    public LinkFaults withCuts(Duration every, Duration lasting, boolean byReset) {
        return new LinkFaults(every, lasting, byReset, delay, bytesPerSecond, flipEvery, seed);
    }

    /** The same, slower by {@code time} in each direction. */
    public LinkFaults withDelay(Duration time) {
        return new LinkFaults(cutEvery, cutFor, reset, time, bytesPerSecond, flipEvery, seed);
    }

    /** The same, with a bit flipped every so many bytes. */
    public LinkFaults withFlips(long every) {
        return new LinkFaults(cutEvery, cutFor, reset, delay, bytesPerSecond, every, seed);
    }

    /** The same, drawn by another seed. */
    public LinkFaults withSeed(long other) {
        return new LinkFaults(cutEvery, cutFor, reset, delay, bytesPerSecond, flipEvery, other);
    }
}
