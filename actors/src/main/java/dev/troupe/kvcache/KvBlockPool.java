package dev.troupe.kvcache;

import dev.troupe.tensor.Ints;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/**
 * The KV blocks of one replica in one epoch: who holds how many, and which are free. A block id is valid on every rank,
 * so one allocation here needs no agreement.
 *
 * <p>A block has holders, which are sequences. When the last one lets go, the block is <em>retiring</em> until every step that
 * touches it has retired, and only then free: a rank of a late stage may still be writing it.
 *
 * <p>A full block may be <em>published</em>: then it can be found by what it holds, and shared, whether it has holders or not.
 * A free block that is published is as good for allocation as an empty one, and is taken when there are no empty ones, the
 * least recently used first. Empty blocks are handed out longest free first.
 *
 * <p>Owned by one thread.
 */
public final class KvBlockPool {
    private final int blockSize;
    private final int[] holders;
    /** The last step that touches the block, as far as its former holders said; 0 for none. */
    private final long[] lastStep;

    private final ArrayDeque<Integer> empty;
    /** Free and published, least recently used first. */
    private final LinkedHashSet<Integer> cached = new LinkedHashSet<>();

    private final TreeMap<Long, LinkedHashSet<Integer>> retiring = new TreeMap<>();
    private final PrefixIndex index;
    private int retiringBlocks;
    private long retired;
    private long evictions;

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
        this.index = new PrefixIndex(blocks);
        this.empty = new ArrayDeque<>(blocks);
        for (int block = 0; block < blocks; block++) {
            empty.add(block);
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

    /** Blocks that can be allocated now, published ones without a holder among them. */
    public int free() {
        return empty.size() + cached.size();
    }

    /** Blocks that can be found by what they hold, with and without holders. */
    public int published() {
        return index.size();
    }

    /** How often a published block was allocated for something else. */
    public long evictions() {
        return evictions;
    }

    /** Blocks without a holder that wait for steps to retire. */
    public int retiring() {
        return retiringBlocks;
    }

    /** Blocks that have a holder. */
    public int held() {
        return total() - free() - retiringBlocks;
    }

    /** Blocks that hold {@code tokens} tokens. */
    public int blocksFor(int tokens) {
        return Math.ceilDiv(tokens, blockSize);
    }

    /**
     * Takes blocks; the caller is their one holder. What they held can be found no more.
     *
     * @throws IllegalStateException if fewer than {@code count} are free
     */
    public Ints allocate(int count) {
        if (count > free()) {
            throw new IllegalStateException("asked for %d KV blocks: free=%d, retiring=%d, held=%d"
                    .formatted(count, free(), retiringBlocks, held()));
        }
        int[] blocks = new int[count];
        for (int i = 0; i < count; i++) {
            blocks[i] = empty.isEmpty() ? evict() : empty.remove();
            holders[blocks[i]] = 1;
            lastStep[blocks[i]] = 0;
        }
        return Ints.of(blocks);
    }

    private int evict() {
        int block = cached.removeFirst();
        index.remove(block);
        evictions++;
        return block;
    }

    /**
     * Makes a block known by what it holds.
     *
     * @param block full, held, and written by no step that has not retired
     * @return false if another block holds the same: then that one is found
     * @throws IllegalStateException if nobody holds it, or it is known by another name
     */
    public boolean publish(int block, PrefixHash name) {
        requireHeld(block, "publish");
        return index.put(block, name);
    }

    /** The published block that holds it. */
    public OptionalInt find(PrefixHash name) {
        return index.find(name);
    }

    /** How many of these blocks are free: sharing them takes so many from what can be allocated. */
    public int freeAmong(Ints blocks) {
        return (int) blocks.stream().filter(cached::contains).count();
    }

    /**
     * Adds one holder to each block.
     *
     * @throws IllegalStateException if one of them has no holder and is not published
     */
    public void share(Ints blocks) {
        for (int i = 0; i < blocks.size(); i++) {
            int block = blocks.get(i);
            if (!revive(block)) {
                requireHeld(block, "share");
            }
            holders[block]++;
        }
    }

    /** Takes a published block without a holder from where it waits for one, or for allocation. */
    private boolean revive(int block) {
        if (!isBlock(block) || holders[block] > 0 || !index.contains(block)) {
            return false;
        }
        if (!cached.remove(block)) {
            LinkedHashSet<Integer> ofStep = retiring.get(lastStep[block]);
            if (ofStep == null || !ofStep.remove(block)) {
                throw new IllegalStateException(
                        "KV block %d is published, and neither held, retiring nor free".formatted(block));
            }
            retiringBlocks--;
            if (ofStep.isEmpty()) {
                retiring.remove(lastStep[block]);
            }
        }
        return true;
    }

    /** Holders of {@code block}. */
    public int holders(int block) {
        return holders[block];
    }

    /**
     * Takes one holder from each block. The blocks of a sequence are given in its order: a later one can only be found after
     * those before it, so it counts as used less recently.
     *
     * @param usedUntil the last step in which this holder used them; 0 for none
     * @throws IllegalStateException if one of them has no holder
     */
    public void release(Ints blocks, long usedUntil) {
        for (int i = blocks.size() - 1; i >= 0; i--) {
            int block = blocks.get(i);
            requireHeld(block, "release");
            lastStep[block] = Math.max(lastStep[block], usedUntil);
            if (--holders[block] > 0) {
                continue;
            }
            if (lastStep[block] <= retired) {
                free(block);
            } else {
                retiring.computeIfAbsent(lastStep[block], step -> new LinkedHashSet<>())
                        .add(block);
                retiringBlocks++;
            }
        }
    }

    private void free(int block) {
        if (index.contains(block)) {
            cached.add(block);
        } else {
            empty.add(block);
        }
    }

    /**
     * Every step up to and including {@code step} has retired: its result implies that all ranks of all stages are done
     * with it.
     */
    public void retire(long step) {
        retired = Math.max(retired, step);
        while (!retiring.isEmpty() && retiring.firstKey() <= retired) {
            LinkedHashSet<Integer> blocks = retiring.pollFirstEntry().getValue();
            retiringBlocks -= blocks.size();
            blocks.forEach(this::free);
        }
    }

    /**
     * Checks that every block is exactly one of empty, free but published, retiring and held, and that the published ones are
     * found under their names.
     *
     * @throws IllegalStateException naming the first block that is not
     */
    public void checkIntegrity() {
        int[] seen = new int[total()];
        empty.forEach(block -> seen[block]++);
        cached.forEach(block -> seen[block]++);
        retiring.values().forEach(blocks -> blocks.forEach(block -> seen[block]++));
        for (int block = 0; block < total(); block++) {
            if (holders[block] < 0 || seen[block] + (holders[block] > 0 ? 1 : 0) != 1) {
                throw new IllegalStateException(
                        "KV block %d has %d holders and stands %d times among the free and the retiring"
                                .formatted(block, holders[block], seen[block]));
            }
        }
        index.checkIntegrity();
        if (empty.stream().anyMatch(index::contains) || !cached.stream().allMatch(index::contains)) {
            throw new IllegalStateException("empty=%s, cached=%s: published are other ones".formatted(empty, cached));
        }
        int waiting = retiring.values().stream().mapToInt(Set::size).sum();
        if (waiting != retiringBlocks || (!retiring.isEmpty() && retiring.firstKey() <= retired)) {
            throw new IllegalStateException("retiring=%d, counted=%d, oldest=%s, retired step=%d"
                    .formatted(retiringBlocks, waiting, retiring.keySet(), retired));
        }
    }

    private void requireHeld(int block, String what) {
        if (!isBlock(block) || holders[block] == 0) {
            throw new IllegalStateException("cannot %s KV block %d: %s"
                    .formatted(what, block, isBlock(block) ? "it has no holder" : "there are " + total()));
        }
    }

    private boolean isBlock(int block) {
        return block >= 0 && block < total();
    }

    @Override
    public String toString() {
        return "KvBlockPool[blockSize=%d, free=%d, published=%d, retiring=%d, held=%s]"
                .formatted(
                        blockSize,
                        free(),
                        published(),
                        retiringBlocks,
                        Arrays.stream(holders).filter(h -> h > 0).count());
    }
}
