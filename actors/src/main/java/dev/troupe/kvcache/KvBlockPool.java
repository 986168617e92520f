package dev.troupe.kvcache;

import dev.troupe.tensor.Ints;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;

/**
 * The KV blocks of one replica in one epoch: who holds how many, and which are free. A block id is valid on every rank,
 * so one allocation here needs no agreement.
 *
 * <p>A block has holders (sequences now, a prefix index later). When the last one lets go, the block is <em>retiring</em>
 * until every step that touches it has retired, and only then free: a rank of a late stage may still be writing it.
 * Free blocks are handed out longest free first.
 *
 * <p>Owned by one thread.
 */
public final class KvBlockPool {
    private final int blockSize;
    private final int[] holders;
    /** The last step that touches the block, as far as its former holders said; 0 for none. */
    private final long[] lastStep;

    private final ArrayDeque<Integer> free;
    private final TreeMap<Long, List<Integer>> retiring = new TreeMap<>();
    private int retiringBlocks;
    private long retired;

    /**
     * A pool whose blocks are all free.
     *
     * @param blocks KV blocks of every rank
     * @param blockSize tokens in a block
     */
    public KvBlockPool(int blocks, int blockSize) {
        if (blocks < 1 || blockSize < 1) {
            throw new IllegalArgumentException(
                    "kv blocks=%d of %d tokens, expected at least 1 of each".formatted(blocks, blockSize));
        }
        this.blockSize = blockSize;
        this.holders = new int[blocks];
        this.lastStep = new long[blocks];
        this.free = new ArrayDeque<>(blocks);
        for (int block = 0; block < blocks; block++) {
            free.add(block);
        }
    }

    /** Tokens in a block. */
    public int blockSize() {
        return blockSize;
    }

    /** Blocks in all. */
    public int total() {
        return holders.length;
    }

    /** Blocks that can be allocated now. */
    public int free() {
        return free.size();
    }

    /** Blocks without a holder that wait for steps to retire. */
    public int retiring() {
        return retiringBlocks;
    }

    /** Blocks that have a holder. */
    public int held() {
        return total() - free.size() - retiringBlocks;
    }

    /** Blocks that hold {@code tokens} tokens. */
    public int blocksFor(int tokens) {
        return Math.ceilDiv(tokens, blockSize);
    }

    /**
     * Takes blocks; the caller is their one holder.
     *
     * @throws IllegalStateException if fewer than {@code count} are free
     */
    public Ints allocate(int count) {
        if (count > free.size()) {
            throw new IllegalStateException("asked for %d KV blocks: free=%d, retiring=%d, held=%d"
                    .formatted(count, free.size(), retiringBlocks, held()));
        }
        int[] blocks = new int[count];
        for (int i = 0; i < count; i++) {
            blocks[i] = free.remove();
            holders[blocks[i]] = 1;
            lastStep[blocks[i]] = 0;
        }
        return Ints.of(blocks);
    }

    /**
     * Adds one holder to each block.
     *
     * @throws IllegalStateException if one of them has no holder
     */
    public void share(Ints blocks) {
        for (int i = 0; i < blocks.size(); i++) {
            requireHeld(blocks.get(i), "share");
            holders[blocks.get(i)]++;
        }
    }

    /** Holders of {@code block}. */
    public int holders(int block) {
        return holders[block];
    }

    /**
     * Takes one holder from each block.
     *
     * @param usedUntil the last step in which this holder used them; 0 for none
     * @throws IllegalStateException if one of them has no holder
     */
    public void release(Ints blocks, long usedUntil) {
        for (int i = 0; i < blocks.size(); i++) {
            int block = blocks.get(i);
            requireHeld(block, "release");
            lastStep[block] = Math.max(lastStep[block], usedUntil);
            if (--holders[block] > 0) {
                continue;
            }
            if (lastStep[block] <= retired) {
                free.add(block);
            } else {
                retiring.computeIfAbsent(lastStep[block], step -> new ArrayList<>())
                        .add(block);
                retiringBlocks++;
            }
        }
    }

    /**
     * Every step up to and including {@code step} has retired: its result implies that all ranks of all stages are done
     * with it.
     */
    public void retire(long step) {
        retired = Math.max(retired, step);
        while (!retiring.isEmpty() && retiring.firstKey() <= retired) {
            List<Integer> blocks = retiring.pollFirstEntry().getValue();
            retiringBlocks -= blocks.size();
            free.addAll(blocks);
        }
    }

    /**
     * Checks that every block is exactly one of free, retiring and held.
     *
     * @throws IllegalStateException naming the first block that is not
     */
    public void checkIntegrity() {
        int[] seen = new int[total()];
        free.forEach(block -> seen[block]++);
        retiring.values().forEach(blocks -> blocks.forEach(block -> seen[block]++));
        for (int block = 0; block < total(); block++) {
            if (holders[block] < 0 || seen[block] + (holders[block] > 0 ? 1 : 0) != 1) {
                throw new IllegalStateException(
                        "KV block %d has %d holders and stands %d times among the free and the retiring"
                                .formatted(block, holders[block], seen[block]));
            }
        }
        int waiting = retiring.values().stream().mapToInt(List::size).sum();
        if (waiting != retiringBlocks || (!retiring.isEmpty() && retiring.firstKey() <= retired)) {
            throw new IllegalStateException("retiring=%d, counted=%d, oldest=%s, retired step=%d"
                    .formatted(retiringBlocks, waiting, retiring.keySet(), retired));
        }
    }

    private void requireHeld(int block, String what) {
        if (block < 0 || block >= total() || holders[block] == 0) {
            throw new IllegalStateException("cannot %s KV block %d: %s"
                    .formatted(
                            what, block, block < 0 || block >= total() ? "there are " + total() : "it has no holder"));
        }
    }

    @Override
    public String toString() {
        return "KvBlockPool[blockSize=%d, free=%d, retiring=%d, held=%s]"
                .formatted(
                        blockSize,
                        free.size(),
                        retiringBlocks,
                        Arrays.stream(holders).filter(h -> h > 0).count());
    }
}
