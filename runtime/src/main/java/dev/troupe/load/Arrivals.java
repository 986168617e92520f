package dev.troupe.load;

import java.util.SplittableRandom;

/**
 * When requests arrive that know nothing of each other: a Poisson process, so that the times between two are exponentially distributed.
 * The same seed gives the same times.
 */
final class Arrivals {
    private final double ratePerNano;
    private final SplittableRandom random;
    private double nanos;

    /** @param rate arrivals per second on average */
    Arrivals(double rate, long seed) {
        if (!(rate > 0 && rate <= 1e6)) {
            throw new IllegalArgumentException(
                    "rate=%s, expected more than 0 and at most 1e6 a second".formatted(rate));
        }
        ratePerNano = rate / 1e9;
        random = new SplittableRandom(seed);
    }

    /** Nanoseconds from the start to the next arrival. */
    long next() {
        nanos += -Math.log(1 - random.nextDouble()) / ratePerNano;
        return (long) nanos;
    }
}
