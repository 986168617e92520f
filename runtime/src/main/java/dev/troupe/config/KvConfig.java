package dev.troupe.config;

import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import java.util.OptionalInt;

/**
 * Every rank's keys and values ({@code troupe.kv}).
 *
 * @param type how they are stored
 * @param blockSize tokens in a block
 * @param fixedBlocks blocks of every rank, or empty for what fits the memory
 * @param memoryBytes for the blocks of one rank, in bytes
 */
public record KvConfig(KvType type, int blockSize, OptionalInt fixedBlocks, long memoryBytes) {
    public KvConfig {
        Check.holds(
                KvStore.BLOCK_SIZES.contains(blockSize),
                "kv.block-size",
                blockSize,
                "one that the kernels work with: " + KvStore.BLOCK_SIZES);
        fixedBlocks.ifPresent(blocks -> Check.atLeast("kv.blocks", blocks, 1));
        Check.atLeast("kv.memory", memoryBytes, 1);
    }

    /**
     * Blocks of every rank.
     *
     * @param bytesPerToken keys and values of one token on the rank that has most of them
     * @throws ConfigurationException if not even one block fits the memory
     */
    public int blocks(long bytesPerToken) {
        if (fixedBlocks.isPresent()) {
            return fixedBlocks.getAsInt();
        }
        long bytesPerBlock = Math.multiplyExact(bytesPerToken, blockSize);
        Check.holds(
                memoryBytes >= bytesPerBlock,
                "kv.memory",
                memoryBytes + " bytes",
                "at least " + bytesPerBlock + " bytes, one block of " + blockSize + " tokens");
        return (int) Math.min(Integer.MAX_VALUE, memoryBytes / bytesPerBlock);
    }
}
