package dev.troupe.stage;

import org.jspecify.annotations.Nullable;

/**
 * A share on its way from the loading thread to the shard. Whichever of the two comes last closes what nobody wants any
 * more, so that a shard that ends while it loads leaks nothing. Thread-safe.
 */
final class PendingLoad {
    private @Nullable Share loaded;
    private boolean abandoned;

    /** From the loading thread. */
    synchronized boolean offer(Share share) {
        if (abandoned) {
            return false;
        }
        loaded = share;
        return true;
    }

    /** From the shard: hands over what was offered. */
    synchronized Share take() {
        if (loaded == null) {
            throw new IllegalStateException("nothing was loaded");
        }
        Share taken = loaded;
        loaded = null;
        return taken;
    }

    /** From the shard: it wants nothing any more. */
    synchronized void abandon() {
        abandoned = true;
        if (loaded != null) {
            loaded.compute().close();
            loaded = null;
        }
    }
}
