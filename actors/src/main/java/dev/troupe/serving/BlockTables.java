package dev.troupe.serving;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.kvcache.PrefixCounts;
import dev.troupe.kvcache.PrefixHash;
import dev.troupe.kvcache.PrefixHasher;
import dev.troupe.stage.StepEntry;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The KV blocks of every sequence in one epoch: which it has to itself, and which full ones it shares with others that began
 * with the same tokens, as in Kwon et al. 2023, "PagedAttention".
 *
 * <p>A block is published when the step that wrote its last token has retired, which implies that every rank of every stage has
 * written it. A sequence takes what is published when it begins, up to the last known token, which it computes in any case.
 *
 * <p>Owned by one thread.
 */
final class BlockTables {
    /** What a sequence's blocks hold, and how many of them have been published. */
    private static final class Prefix {
        final PrefixHasher.Chain chain;
        int published;

        Prefix(PrefixHasher.Chain chain) {
            this.chain = chain;
        }
    }

    private final KvBlockPool pool;
    private final @Nullable PrefixHasher hasher;
    private final Map<Long, Prefix> prefixes = new HashMap<>();
    private final List<Long> released = new ArrayList<>();
    private long queriedTokens;
    private long hitTokens;

    /** @param hasher names what blocks hold; null if nothing is ever reused */
    BlockTables(KvBlockPool pool, @Nullable PrefixHasher hasher) {
        this.pool = pool;
        this.hasher = hasher;
    }

    KvBlockPool pool() {
        return pool;
    }

    int blockSize() {
        return pool.blockSize();
    }

    PrefixCounts counts() {
        return new PrefixCounts(queriedTokens, hitTokens, pool.published(), pool.evictions());
    }

    /** The blocks of its first tokens that are there, for a sequence that has none yet. */
    Ints find(Sequence sequence) {
        Prefix prefix = prefix(sequence);
        int most = reusableBlocks(sequence);
        if (prefix == null || most == 0) {
            return Ints.of();
        }
        int[] found = new int[most];
        for (int i = 0; i < most; i++) {
            OptionalInt block = pool.find(prefix.chain.name(i, sequence.tokens()));
            if (block.isEmpty()) {
                return Ints.of(found).slice(0, i);
            }
            found[i] = block.getAsInt();
        }
        return Ints.of(found);
    }

    private int reusableBlocks(Sequence sequence) {
        return sequence.reusable() / blockSize();
    }

    /**
     * Whether a sequence that has not begun need only wait until another one, which has, is further: that one is about to
     * write what it needs next.
     *
     * @param found how many of its blocks are there
     */
    boolean isBeingWritten(Sequence sequence, int found, Collection<Sequence> others) {
        Prefix prefix = prefix(sequence);
        if (prefix == null || found >= reusableBlocks(sequence) || sequence.isSuspect()) {
            return false;
        }
        PrefixHash name = prefix.chain.name(found, sequence.tokens());
        return others.stream()
                .anyMatch(other -> other.holdsBlocks() && !other.isSuspect() && writes(other, found, name));
    }

    /**
     * Whether it will write the block soon: one of which rows are wanted computes few tokens in a step, and one that waits for its
     * guide may write its last token for long.
     */
    private boolean writes(Sequence sequence, int block, PrefixHash name) {
        int end = (block + 1) * blockSize();
        Prefix prefix = prefix(sequence);
        return sequence.written() < end
                && sequence.deferrals() == 0
                && end <= sequence.known()
                && sequence.submission().returns().prompt().isEmpty()
                && prefix != null
                && prefix.chain.name(block, sequence.tokens()).equals(name);
    }

    /** A sequence begins, with blocks that were found for it. */
    void begin(Sequence sequence, Ints found) {
        pool.share(found);
        sequence.begin(found, blockSize());
        Prefix prefix = prefix(sequence);
        if (prefix != null) {
            prefix.published = found.size();
            queriedTokens += (long) reusableBlocks(sequence) * blockSize();
            hitTokens += (long) found.size() * blockSize();
        }
    }

    /** A step takes the next {@code count} tokens of a sequence, which has the blocks for them or gets free ones. */
    StepEntry take(Sequence sequence, long step, int count) {
        return sequence.take(step, count, pool.allocate(sequence.blocksToAdd(count, blockSize())));
    }

    /** A step of a sequence has retired: what it has written can be found from now on. */
    void publish(Sequence sequence) {
        Prefix prefix = prefix(sequence);
        if (prefix == null) {
            return;
        }
        for (int full = sequence.written() / blockSize(); prefix.published < full; prefix.published++) {
            pool.publish(
                    sequence.blocks().get(prefix.published), prefix.chain.name(prefix.published, sequence.tokens()));
        }
    }

    /** Takes a sequence its blocks, and what the ranks know of it: it will begin again, or never. */
    void giveUp(Sequence sequence) {
        if (sequence.onRanks()) {
            released.add(sequence.id());
        }
        long usedUntil = sequence.lastStep();
        pool.release(sequence.putBack(), usedUntil);
    }

    /** A sequence never comes again. */
    void forget(Sequence sequence) {
        prefixes.remove(sequence.id());
    }

    /** The sequences that ranks are to forget with the next step; the caller tells them. */
    List<Long> takeReleased() {
        List<Long> taken = List.copyOf(released);
        released.clear();
        return taken;
    }

    private @Nullable Prefix prefix(Sequence sequence) {
        PrefixHasher names = hasher;
        return names == null
                ? null
                : prefixes.computeIfAbsent(
                        sequence.id(),
                        id -> new Prefix(names.chain(sequence.submission().cacheSalt())));
    }

    /**
     * Checks that the pool is whole, that its held blocks are those of the sequences, and that no sequence can write a block
     * that another one has or that can be found.
     *
     * @throws IllegalStateException if not
     */
    void checkIntegrity(Collection<Sequence> sequences) {
        pool.checkIntegrity();
        Map<Integer, Integer> holders = new HashMap<>();
        for (Sequence sequence : sequences) {
            Set<Integer> own = new HashSet<>();
            for (int i = 0; i < sequence.blocks().size(); i++) {
                int block = sequence.blocks().get(i);
                holders.merge(block, 1, Integer::sum);
                boolean complete = (i + 1) * blockSize() <= sequence.scheduled();
                if (!own.add(block) || (!complete && pool.holders(block) > 1)) {
                    throw new IllegalStateException("%s has KV block %d at %d, which has %d holders"
                            .formatted(sequence, block, i, pool.holders(block)));
                }
            }
        }
        holders.forEach((block, count) -> {
            if (pool.holders(block) != count) {
                throw new IllegalStateException(
                        "%d sequences hold KV block %d, the pool says %d".formatted(count, block, pool.holders(block)));
            }
        });
        if (holders.size() != pool.held()) {
            throw new IllegalStateException(
                    "sequences hold %d KV blocks, the pool says %d".formatted(holders.size(), pool.held()));
        }
    }
}
