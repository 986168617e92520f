package dev.troupe.process;

import java.time.Duration;

/**
 * How much slower this machine is now than a quiet one, from the time that children take to start: time limits of process
 * tests are multiplied by it. Every start counts, so load that comes later counts too.
 */
public final class Calibration {
    /** A child with an actor system, on a quiet machine with two cores. */
    private static final Duration QUIET_START = Duration.ofSeconds(4);

    private static final double LARGEST = 15;

    private static volatile double factor = 1;

    private Calibration() {}

    /** At least 1. */
    public static double factor() {
        return factor;
    }

    /** {@code limit} times the factor. */
    public static Duration scale(Duration limit) {
        return Duration.ofNanos((long) (limit.toNanos() * factor));
    }

    /** A child took so long until it was there. */
    static synchronized void started(Duration took) {
        double ratio = (double) took.toNanos() / QUIET_START.toNanos();
        factor = Math.clamp(ratio, factor, LARGEST);
    }
}
