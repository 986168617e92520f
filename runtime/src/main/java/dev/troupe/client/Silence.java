package dev.troupe.client;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * How long front ends have said nothing, and what that means: a stream that answers no ping is looked for elsewhere, and after
 * every attempt without an event the next one is given twice the time, so that slow machines are not asked ever more. Owned by
 * one thread.
 */
final class Silence {
    static final Duration PING_EVERY = Duration.ofMillis(400);

    /** Before a front end that has said no is followed by the next. */
    static final Duration REST = Duration.ofMillis(250);

    private static final long OF_A_STREAM = Duration.ofMillis(1500).toNanos();
    private static final long OF_A_FRONT_END = Duration.ofSeconds(3).toNanos();
    private static final long OF_THE_ONLY_ONE = Duration.ofSeconds(6).toNanos();
    private static final int MOST_DOUBLINGS = 3;

    private final Duration patience;
    private final LongSupplier nanoTime;
    private long askedAt;
    private long heardAt;
    private int fruitless = -1;

    /**
     * @param patience how long all may be silent
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    Silence(Duration patience, LongSupplier nanoTime) {
        this.patience = patience;
        this.nanoTime = nanoTime;
        this.askedAt = nanoTime.getAsLong();
        this.heardAt = askedAt;
    }

    /** A front end was asked. */
    void asked() {
        askedAt = nanoTime.getAsLong();
        fruitless++;
    }

    /** It has said something. */
    void heard() {
        heardAt = nanoTime.getAsLong();
    }

    /** There was an event. */
    void progressed() {
        fruitless = 0;
    }

    /** Since the one that was asked last was asked, or has said something, in milliseconds. */
    long millis() {
        return nanos() / 1_000_000;
    }

    private long nanos() {
        long now = nanoTime.getAsLong();
        return Math.min(now - askedAt, now - heardAt);
    }

    /** Whether the one that was asked last is to be left. */
    boolean isLong(boolean streaming, boolean others) {
        long limit = !others ? OF_THE_ONLY_ONE : streaming ? OF_A_STREAM : OF_A_FRONT_END;
        return nanos() > limit << Math.clamp(fruitless, 0, MOST_DOUBLINGS);
    }

    /** Whether nobody has said anything for so long that nobody will. */
    boolean isOver() {
        return nanoTime.getAsLong() - heardAt > patience.toNanos();
    }
}
