package dev.troupe.wire.lane;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Warnings that strangers can cause: one a second at most, so that nobody can fill the disk. For one thread. */
final class RareLog {
    private static final long PAUSE_NANOS = 1_000_000_000L;
    private static final Logger LOG = LoggerFactory.getLogger(TensorLane.class);

    private final String prefix;
    private long notBefore = System.nanoTime();
    private long swallowed;

    RareLog(String prefix) {
        this.prefix = prefix;
    }

    void rarely(String message) {
        long now = System.nanoTime();
        if (now - notBefore < 0) {
            swallowed++;
            return;
        }
        notBefore = now + PAUSE_NANOS;
        LOG.warn("{}: {}{}", prefix, message, swallowed == 0 ? "" : " (and " + swallowed + " warnings before)");
        swallowed = 0;
    }
}
