package dev.troupe.kernel;

import dev.troupe.kvstore.KvType;

/**
 * Everything that may change a bit of a result, as a short string: nodes with different ids may not work on one replica
 * and a generation never crosses them (NUMERICS rule 10).
 *
 * @param value for example {@code exact-1/span-128/chunks-8x32/kv-f16}
 */
public record NumericsId(String value) {
    /** Version of the rules of arithmetic in docs/numerics.md. */
    public static final int RULES = 1;

    /** Positions of an attention span, counted from position 0. */
    public static final int SPAN = 128;

    /** Row-parallel matrices have at least so many chunks where the heads allow it. */
    public static final int LEAST_CHUNKS = 8;

    /** Columns that share a scale when activations are rounded, and the unit of feed-forward chunks. */
    public static final int BLOCK = 32;

    /** The id of this version with a cache of the given type. Only equal ids of exact arithmetic mean equal bits. */
    public static NumericsId of(Numerics numerics, KvType cache) {
        return new NumericsId("%s-%d/span-%d/chunks-%dx%d/kv-%s"
                .formatted(numerics.label(), RULES, SPAN, LEAST_CHUNKS, BLOCK, cache.label()));
    }

    @Override
    public String toString() {
        return value;
    }
}
