package dev.troupe.stage;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.model.decoder.DecoderShard;
import dev.troupe.model.decoder.KvSettings;
import dev.troupe.model.decoder.ShardSlice;
import dev.troupe.model.decoder.WeightLoader;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.WeightFormatException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The undisturbed run of a real decoder with random weights, always from the first token, without chunks. */
public final class DecoderOracle implements Oracle, AutoCloseable {
    private static final int BLOCK_SIZE = 128;

    private final Checkpoint checkpoint;
    private final ShardCompute whole;
    private final Map<Ints, Floats> logits = new HashMap<>();
    private final Map<Ints, Floats> hidden = new HashMap<>();

    /** @param name of a synthetic model */
    public DecoderOracle(String name) throws WeightFormatException {
        checkpoint = SyntheticModel.named(name);
        whole = load(Partition.even(checkpoint.config(), 1, 1), 0, 0, 1, BLOCK_SIZE);
    }

    /** The model. */
    public Checkpoint checkpoint() {
        return checkpoint;
    }

    /** One rank's share, with a cache of its own. */
    public ShardCompute load(Partition partition, int stage, int rank, int blocks, int blockSize)
            throws WeightFormatException {
        ShardSlice slice = ShardSlice.of(checkpoint.config(), partition, stage, rank);
        return new DecoderShard(
                WeightLoader.load(checkpoint, slice, 1, RowCheck.NONE, LoadProgress.NONE),
                new ReferenceKernels(),
                new KvSettings(KvType.F16, blockSize, blocks));
    }

    @Override
    public boolean fails(int token) {
        return false;
    }

    @Override
    public Floats logits(Ints tokens) {
        return logits.computeIfAbsent(tokens, absent -> {
            try (ShardStep step = run(absent)) {
                return step.logits(new int[] {absent.size() - 1});
            }
        });
    }

    @Override
    public Floats hidden(Ints tokens) {
        return hidden.computeIfAbsent(tokens, absent -> {
            try (ShardStep step = run(absent)) {
                return step.finalHidden(new int[] {absent.size() - 1});
            }
        });
    }

    private ShardStep run(Ints tokens) {
        TokenBatch batch = new TokenBatch(
                tokens.toArray(), IntStream.range(0, tokens.size()).toArray(), new int[tokens.size()], new int[][] {{0}
                });
        ShardStep step = whole.begin(batch, null);
        for (int segment = 0; segment < whole.segments(); segment++) {
            step.compute();
            step.finish(List.of());
        }
        return step;
    }

    @Override
    public void close() {
        whole.close();
        checkpoint.close();
    }
}
