package dev.troupe.model.decoder;

import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kvstore.KvStore;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.weights.WeightFormatException;
import java.util.Map;

/**
 * About how much of its device's memory a rank takes, in bytes: enough to refuse a rank before its weights are read.
 *
 * @param weights packed matrices and the table of rotations
 * @param keysAndValues its store
 * @param workspace what its steps and kernels keep, and what it leaves to other ranks
 */
public record ShardMemory(long weights, long keysAndValues, long workspace) {
    /** Tables, staging buffers and results of attention, whatever the model. */
    private static final long KERNELS = 96 << 20;

    /** Room of the smallest buffer that ranks leave to each other. */
    private static final long LEAST_BUFFER = 64 << 10;

    /**
     * What a rank will take.
     *
     * @param tokens of its largest step
     * @param steps open at a time
     * @throws WeightFormatException if a tensor is missing
     */
    public static ShardMemory of(Checkpoint checkpoint, ShardSlice slice, KvSettings kv, int tokens, int steps)
            throws WeightFormatException {
        ModelConfig config = checkpoint.config();
        int capacity = DecoderShard.capacity(tokens);
        long rotations = 4L * Math.min(config.maxPositions(), kv.tokens()) * config.headDim();
        int chunks = ReductionChunks.feedForward(config.heads(), config.kvHeads(), config.intermediateSize())
                        .count()
                * slice.groups()
                / config.kvHeads();
        long chunkProducts = 4L * chunks * capacity * config.hiddenSize();
        return new ShardMemory(
                WeightLoader.bytes(checkpoint, slice) + rotations,
                KvStore.bytes(kv.type(), slice.layers(), slice.groups(), config.headDim(), kv.blockSize(), kv.blocks()),
                Workspace.bytes(config, slice, capacity)
                        + steps * Workspace.StepState.bytes(config, slice, capacity)
                        + chunkProducts
                        + exchange(config, slice, capacity, steps)
                        + KERNELS);
    }

    /**
     * Buffers that a rank leaves to others, in memory that belongs to its device: for every step its hidden state, and the sums of two
     * segments, because a peer may still have to read those of the segment before. Each has room for a power of two, and those that were
     * made for smaller steps remain: all sizes below the largest are together less than it.
     */
    static long exchange(ModelConfig config, ShardSlice slice, int capacity, int steps) {
        long bytes = 4L * capacity * config.hiddenSize();
        long room = Math.max(LEAST_BUFFER, Long.highestOneBit(bytes - 1) << 1);
        boolean alone = slice.groups() == config.kvHeads();
        long buffers = steps * (1L + (alone ? 0 : 2L * Workspace.StepState.nodes(config, slice)));
        return 2 * room * buffers;
    }

    /** The same of a rank whose weights are there already. */
    public ShardMemory withoutWeights() {
        return new ShardMemory(0, keysAndValues, workspace);
    }

    /** All of it. */
    public long bytes() {
        return weights + keysAndValues + workspace;
    }

    /** By what it is for. */
    public Map<Use, Long> byUse() {
        return Map.of(Use.WEIGHTS, weights, Use.KEYS_AND_VALUES, keysAndValues, Use.WORKSPACE, workspace);
    }
}
