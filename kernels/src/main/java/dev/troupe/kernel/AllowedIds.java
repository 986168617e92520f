package dev.troupe.kernel;

/** A set of token ids, of which alone the next one may be. Immutable. */
public interface AllowedIds {
    /** Whether an id is in it; those that the vocabulary does not have never are. */
    boolean allows(int id);

    /** Ids {@code 64 · index} to {@code 64 · index + 63} as bits, the lowest id first. */
    long word(int index);
}
