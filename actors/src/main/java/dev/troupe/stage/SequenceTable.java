package dev.troupe.stage;

import dev.troupe.kernel.TokenBatch;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The sequences that a rank knows, by id; folds step batches, in the order of the steps, into what kernels need. */
final class SequenceTable {
    private final int blockSize;
    private final int blocks;
    private final Guides guides;
    private final Map<Long, KnownSequence> known = new HashMap<>();

    /**
     * @param blockSize tokens in a KV block
     * @param blocks KV blocks of this rank
     * @param guides of this rank
     */
    SequenceTable(int blockSize, int blocks, Guides guides) {
        this.blockSize = blockSize;
        this.blocks = blocks;
        this.guides = guides;
    }

    /**
     * A step as the kernels see it.
     *
     * @param tokens what to compute
     * @param wants what to return, in the batch's order
     * @param summed entries whose hidden states are summed up
     */
    record Opened(TokenBatch tokens, List<WantedRow> wants, List<SummedRows> summed) {}

    /**
     * Tokens of one entry whose hidden states are summed up.
     *
     * @param row the first one's place in the batch
     * @param position the first one's position in its sequence
     * @param count how many
     */
    record SummedRows(HiddenMean mean, int row, int position, int count) {}

    /**
     * One {@link Want} with what is needed to answer it.
     *
     * @param sequence whose
     * @param row token of the batch after which it is asked
     * @param position that token's position in its sequence
     */
    record WantedRow(long sequence, int row, int position, Want.Kind kind, KnownSequence known) {}

    /**
     * Forgets what the batch releases, then folds its entries.
     *
     * @throws IllegalStateException if an entry's sequence is not known and not described, stands in two entries, or
     *     leaves a gap; the scheduler and this rank then disagree and the epoch cannot go on
     */
    Opened open(StepBatch batch) {
        batch.released().forEach(known::remove);
        int total = batch.tokens();
        int[] ids = new int[total];
        int[] positions = new int[total];
        int[] sequences = new int[total];
        int[][] blockTables = new int[batch.entries().size()][];
        List<WantedRow> wants = new ArrayList<>();
        List<SummedRows> summed = new ArrayList<>();
        int row = 0;
        for (int e = 0; e < blockTables.length; e++) {
            StepEntry entry = batch.entries().get(e);
            KnownSequence sequence = sequence(batch, entry);
            requireBlocks(batch, entry);
            sequence.fold(entry, blockSize);
            blockTables[e] = sequence.blockTable();
            for (Want want : entry.wants()) {
                wants.add(new WantedRow(
                        entry.sequence(),
                        row + want.offset(),
                        entry.firstPosition() + want.offset(),
                        want.kind(),
                        sequence));
            }
            HiddenMean mean = sequence.mean();
            if (mean != null) {
                summed.add(new SummedRows(
                        mean, row, entry.firstPosition(), entry.tokens().size()));
            }
            for (int i = 0; i < entry.tokens().size(); i++, row++) {
                ids[row] = entry.tokens().get(i);
                positions[row] = entry.firstPosition() + i;
                sequences[row] = e;
            }
        }
        return new Opened(new TokenBatch(ids, positions, sequences, blockTables), List.copyOf(wants), summed);
    }

    private KnownSequence sequence(StepBatch batch, StepEntry entry) {
        SequenceStart start = entry.start();
        if (start != null) {
            KnownSequence described = new KnownSequence(entry.sequence(), start, guides);
            known.put(entry.sequence(), described);
            described.canSample(); // its guide may be compiled while its prompt is computed
        }
        KnownSequence sequence = known.get(entry.sequence());
        if (sequence == null) {
            throw new IllegalStateException(
                    "step %d of %s names sequence %d, which this rank does not know (it knows %d); its entry must bring its start"
                            .formatted(batch.step(), batch.epoch(), entry.sequence(), known.size()));
        }
        return sequence;
    }

    private void requireBlocks(StepBatch batch, StepEntry entry) {
        for (int i = 0; i < entry.newBlocks().size(); i++) {
            int block = entry.newBlocks().get(i);
            if (block < 0 || block >= blocks) {
                throw new IllegalStateException("step %d of %s gives sequence %d the KV block %d; this rank has 0 to %d"
                        .formatted(batch.step(), batch.epoch(), entry.sequence(), block, blocks - 1));
            }
        }
    }

    /** Sequences known now. */
    int size() {
        return known.size();
    }
}
