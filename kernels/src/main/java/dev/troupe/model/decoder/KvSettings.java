package dev.troupe.model.decoder;

import dev.troupe.kvstore.KvType;

/**
 * The size of a rank's key and value store.
 *
 * @param type how elements are stored
 * @param blockSize tokens in a block
 * @param blocks number of blocks
 */
public record KvSettings(KvType type, int blockSize, int blocks) {
    public KvSettings {
        if (blocks < 1) {
            throw new IllegalArgumentException("kv blocks = %d, expected at least 1".formatted(blocks));
        }
    }

    /** Tokens that fit, over all sequences. */
    public int tokens() {
        return Math.multiplyExact(blockSize, blocks);
    }
}
