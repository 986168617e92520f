package dev.troupe.serving;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.function.LongSupplier;

/**
 * When the next epoch may be sought: at once after a rare loss, later and later when one follows the other, so that a node
 * that comes and goes does not keep a replica from working. Owned by one thread.
 */
final class EpochPace {
    /** Losses within {@link #WINDOW} that cost no wait, if the epoch had served. */
    private static final int FREE = 3;

    private static final Duration WINDOW = Duration.ofSeconds(20);
    private static final Duration MOST = Duration.ofSeconds(15);

    private final Duration first;
    private final LongSupplier nanoTime;
    private final ArrayDeque<Long> losses = new ArrayDeque<>();
    private int fruitless;

    /**
     * @param first the shortest wait
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    EpochPace(Duration first, LongSupplier nanoTime) {
        this.first = first;
        this.nanoTime = nanoTime;
    }

    /**
     * An epoch is lost.
     *
     * @param served whether it had given results
     * @return how long to wait before the next is sought
     */
    Duration lost(boolean served) {
        long now = nanoTime.getAsLong();
        losses.addLast(now);
        forget(now);
        fruitless = served ? 0 : fruitless + 1;
        int excess = served ? losses.size() - FREE : fruitless - 1;
        if (excess <= 0) {
            return Duration.ZERO;
        }
        Duration wait = first.multipliedBy(1L << Math.min(excess - 1, 10));
        return wait.compareTo(MOST) > 0 ? MOST : wait;
    }

    private void forget(long now) {
        while (!losses.isEmpty() && now - losses.getFirst() > WINDOW.toNanos()) {
            losses.removeFirst();
        }
    }

    /** Whether an epoch may be given up of one's own accord: neither that nor a loss soon after it costs a wait. */
    boolean isCalm() {
        forget(nanoTime.getAsLong());
        return losses.size() < FREE - 1;
    }

    /** Epochs in a row that were lost before they gave a result. */
    int fruitless() {
        return fruitless;
    }
}
