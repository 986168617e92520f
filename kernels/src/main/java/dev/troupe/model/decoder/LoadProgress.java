package dev.troupe.model.decoder;

/** Told how far a load is. */
@FunctionalInterface
public interface LoadProgress {
    /** Tells nobody. */
    LoadProgress NONE = (bytesDone, bytesTotal) -> {};

    /**
     * Called by the loading thread after every matrix.
     *
     * @param bytesDone bytes of the checkpoint read and packed so far
     * @param bytesTotal bytes that this rank needs
     */
    void at(long bytesDone, long bytesTotal);
}
