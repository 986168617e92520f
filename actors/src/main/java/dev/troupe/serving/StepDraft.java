package dev.troupe.serving;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.stage.StepEntry;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.SequencedCollection;
import java.util.function.Predicate;

/** One step in the making: sequences are offered to it in the order in which they are served, and it takes of each what has room. */
final class StepDraft {
    private final long step;
    private final StepLimits limits;
    private final BlockTables tables;
    private final KvBlockPool pool;
    private final SequencedCollection<Sequence> sequences;
    private final List<StepEntry> entries = new ArrayList<>();
    private final List<Sequence> taken = new ArrayList<>();
    private int tokensLeft;
    private int decodesLeft;
    private long weightLeft;
    private int describedLeft = StepLimits.DESCRIBED_TOKENS;
    private int holders;
    private long preemptions;
    /** Sequences that wait for what others are writing. */
    private int patient;
    /** An earlier sequence lacks blocks: no later one gets any. */
    private boolean starved;
    /** An earlier sequence waits to start: no later one starts. */
    private boolean noStarts;

    /**
     * @param sequences all there are, in the order in which they are served
     * @param which those that may be offered
     */
    StepDraft(
            long step,
            StepLimits limits,
            BlockTables tables,
            SequencedCollection<Sequence> sequences,
            Predicate<Sequence> which) {
        this.step = step;
        this.limits = limits;
        this.tables = tables;
        this.pool = tables.pool();
        this.sequences = sequences;
        int decoding = 0;
        int ready = 0;
        for (Sequence sequence : sequences) {
            holders += sequence.holdsBlocks() ? 1 : 0;
            if (!which.test(sequence)) {
                continue;
            }
            decoding += sequence.isDecoding() ? 1 : 0;
            ready += sequence.isDecoding() && sequence.isReady() ? 1 : 0;
        }
        this.decodesLeft =
                Math.min(Math.min(ready, limits.tokensPerStep()), Math.ceilDiv(decoding, limits.stepsInFlight()));
        this.tokensLeft = limits.tokensPerStep();
        this.weightLeft = limits.wantsPerStep();
    }

    List<StepEntry> entries() {
        return entries;
    }

    /** The sequences of the entries. */
    List<Sequence> taken() {
        return taken;
    }

    /** Sequences put back because blocks ran out. */
    long preemptions() {
        return preemptions;
    }

    /** Takes what has room of a sequence that is ready. */
    void consider(Sequence sequence) {
        if (!sequence.isReady()) {
            noStarts |= !sequence.holdsBlocks();
            return;
        }
        if (entries.size() == limits.sequencesPerStep()) {
            return;
        }
        if (sequence.holdsBlocks()) {
            boolean decodes = sequence.isDecoding();
            int most = decodes ? Math.min(1, decodesLeft) : chunk(sequence.pending());
            boolean took = goOn(sequence, sequence.tokensWithin(sequence.scheduled(), most, weightLeft));
            decodesLeft -= decodes && took ? 1 : 0;
        } else if (!noStarts && tokensLeft > decodesLeft) {
            start(sequence);
        }
    }

    /** Tokens of one sequence that is no decode step, out of those that are left for such. */
    private int chunk(int pending) {
        return Math.min(Math.min(pending, limits.prefillChunk()), tokensLeft - decodesLeft);
    }

    private void start(Sequence sequence) {
        Ints found = tables.find(sequence);
        int from = found.size() * tables.blockSize();
        int most = sequence.tokensWithin(from, chunk(sequence.known() - from), weightLeft);
        if (most == 0) {
            return;
        }
        if (tables.isBeingWritten(sequence, found.size(), sequences)) {
            patient++;
            noStarts = patient >= limits.sequencesPerStep();
        } else if (mayStart(sequence, found)) {
            tables.begin(sequence, found);
            holders++;
            goOn(sequence, most);
        } else {
            noStarts = true;
        }
    }

    private boolean mayStart(Sequence sequence, Ints found) {
        if (starved || holders >= limits.runningSequences() || sequence.known() > describedLeft) {
            return false;
        }
        int promised = sequences.stream()
                .filter(Sequence::holdsBlocks)
                .mapToInt(holder -> holder.missingBlocks(pool.blockSize()))
                .sum();
        int missing = sequence.missingBlocks(pool.blockSize()) - found.size();
        // One block more for each running sequence, or it would soon be put back for their next tokens.
        return pool.free() - pool.freeAmong(found) - promised - holders >= missing;
    }

    private boolean goOn(Sequence sequence, int most) {
        if (most == 0) {
            return false;
        }
        int count = Math.min(most, room(sequence));
        if (count == 0) {
            starved = true;
            noStarts = true;
            return false;
        }
        take(sequence, count);
        return true;
    }

    /** How many tokens it has or can get blocks for, at the cost of later ones if there would be none. */
    private int room(Sequence sequence) {
        int own = sequence.room(pool.blockSize());
        if (starved) {
            return own;
        }
        if (own == 0 && pool.free() == 0) {
            putLastBack(sequence);
        }
        return (int) Math.min(Integer.MAX_VALUE, own + (long) pool.free() * pool.blockSize());
    }

    private void putLastBack(Sequence beneficiary) {
        for (Sequence victim : sequences.reversed()) {
            if (victim == beneficiary || pool.free() + pool.retiring() > 0) {
                return;
            }
            if (victim.holdsBlocks()) {
                tables.giveUp(victim);
                holders--;
                preemptions++;
            }
        }
    }

    private void take(Sequence sequence, int count) {
        StepEntry entry = tables.take(sequence, step, count);
        entries.add(entry);
        taken.add(sequence);
        tokensLeft -= count;
        describedLeft -= entry.start() == null ? 0 : entry.start().tokens().size();
        weightLeft -= entry.wants().stream()
                .mapToLong(want -> StepLimits.weight(want.kind()))
                .sum();
    }
}
