package dev.troupe.stage;

import dev.troupe.model.ShardCompute;
import org.jspecify.annotations.Nullable;

/**
 * A share on its way from the loading thread to the shard. Whichever of the two comes last closes what nobody wants any
 * more, so that a shard that ends while it loads leaks nothing. Thread-safe.
 */
final class PendingLoad {
    private @Nullable ShardCompute loaded;
    private boolean abandoned;

    /** From the loading thread. */
    synchronized boolean offer(ShardCompute compute) {
        if (abandoned) {
            return false;
        }
        loaded = compute;
        return true;
    }

    /** From the shard: hands over what was offered. */
    synchronized ShardCompute take() {
        if (loaded == null) {
            throw new IllegalStateException("nothing was loaded");
        }
        ShardCompute taken = loaded;
        loaded = null;
        return taken;
    }

    /** From the shard: it wants nothing any more. */
    synchronized void abandon() {
        abandoned = true;
        if (loaded != null) {
            loaded.close();
            loaded = null;
        }
    }
}
