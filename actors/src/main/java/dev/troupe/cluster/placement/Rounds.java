package dev.troupe.cluster.placement;

import dev.troupe.stage.Epoch;
import java.util.concurrent.atomic.AtomicLong;

/** The rounds one node issues: they only rise, over all replicas, so no two of its epochs are the same. Thread-safe. */
final class Rounds {
    private final long issuer;
    private final AtomicLong last = new AtomicLong();

    /**
     * @param issuer uid of this node's incarnation
     */
    Rounds(long issuer) {
        this.issuer = issuer;
    }

    /** A new epoch above {@code above} and above everything issued before. */
    Epoch next(Epoch above) {
        return new Epoch(last.updateAndGet(before -> Math.max(before, above.round()) + 1), issuer);
    }
}
