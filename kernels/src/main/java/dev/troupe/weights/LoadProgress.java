package dev.troupe.weights;

/** Told how far a long reading of weights is. */
@FunctionalInterface
public interface LoadProgress {
    /** Tells nobody. */
    LoadProgress NONE = (bytesDone, bytesTotal) -> {};

    /**
     * Called by the reading thread every now and then, and when it is done.
     *
     * @param bytesDone bytes of the checkpoint read so far
     * @param bytesTotal bytes to read in all
     */
    void at(long bytesDone, long bytesTotal);
}
