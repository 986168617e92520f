package dev.troupe.stage;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/** Plans, partitions and batches that tests of this package share. */
final class TestPlans {
    static final Epoch EPOCH = new Epoch(3, 7);
    static final int BLOCK_SIZE = 4;
    static final int BLOCKS = 16;

    private TestPlans() {}

    /** A counting model cut evenly, with {@code ranks[s]} ranks in stage s. */
    static Partition partition(CountingModel model, int... ranks) {
        List<Partition.Stage> stages = new ArrayList<>();
        for (int s = 0; s < ranks.length; s++) {
            List<Partition.Rank> owned = new ArrayList<>();
            int row = 0;
            for (int r = 0; r < ranks[s]; r++) {
                int end = r + 1 == ranks[s]
                        ? model.vocabulary()
                        : Math.min(model.vocabulary(), row + Partition.VOCABULARY_SPAN);
                owned.add(new Partition.Rank(
                        model.groups() * r / ranks[s], model.groups() * (r + 1) / ranks[s], row, end));
                row = end;
            }
            stages.add(new Partition.Stage(
                    model.layers() * s / ranks.length, model.layers() * (s + 1) / ranks.length, owned));
        }
        return new Partition(stages);
    }

    /** A plan with every rank on a slot called {@code slot}. */
    static ReplicaPlan plan(Partition partition, String slot) {
        return plan(partition, slot, BLOCK_SIZE, BLOCKS);
    }

    /** The same with its own cache. */
    static ReplicaPlan plan(Partition partition, String slot, int blockSize, int blocks) {
        List<List<String>> slots = partition.stages().stream()
                .map(stage -> Collections.nCopies(stage.ranks().size(), slot))
                .toList();
        return new ReplicaPlan("counting", 0, "", "", partition, slots, KvType.F32, blockSize, blocks);
    }

    static SequenceStart greedy(int... prompt) {
        return new SequenceStart(Ints.of(prompt), prompt.length, SamplingParameters.greedy(), 0);
    }

    /** A step with the whole prompt of one new sequence, that wants a token. */
    static StepBatch prefill(long step, long sequence, SequenceStart start, int firstBlock) {
        int tokens = start.tokens().size();
        int[] blocks = IntStream.range(0, Math.ceilDiv(tokens, BLOCK_SIZE))
                .map(i -> firstBlock + i)
                .toArray();
        StepEntry entry = new StepEntry(
                sequence, start, 0, start.tokens(), Ints.of(blocks), List.of(new Want(tokens - 1, Want.Kind.TOKEN)));
        return new StepBatch(EPOCH, step, List.of(entry), List.of(), 0);
    }

    /** A step with one more token of a known sequence, that wants the next. */
    static StepBatch decode(long step, long sequence, int position, int token) {
        StepEntry entry = new StepEntry(
                sequence, null, position, Ints.of(token), Ints.of(), List.of(new Want(0, Want.Kind.TOKEN)));
        return new StepBatch(EPOCH, step, List.of(entry), List.of(), 0);
    }
}
