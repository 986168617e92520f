package dev.troupe.weights;

/** Told how far a long reading of weights is. */
@FunctionalInterface
public interface LoadProgress {
    /** Tells nobody. */
    LoadProgress NONE = (bytesDone, bytesTotal) -> {};

    /**
     * Called every now and then, by one thread at a time, and when all is read.
     *
     * @param bytesDone bytes of the checkpoint read so far
     * @param bytesTotal bytes to read in all
     */
    void at(long bytesDone, long bytesTotal);
}
