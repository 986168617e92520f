package dev.troupe.model.decoder;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.model.ModelConfig;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.function.Function;

/**
 * What a rank computes in, for up to {@code capacity} tokens: overwritten by every segment, so all steps of a shard share
 * one. Its tensors have more rows than a step has tokens.
 */
final class Workspace implements AutoCloseable {
    /** Rows of logits that are computed at once. */
    static final int LOGIT_ROWS = 16;

    private final Arena arena;
    private final int capacity;
    private final Tensor normed;
    private final Tensor qkv;
    private final Tensor attended;
    private final Tensor gateUp;
    private final Tensor activated;
    private final Tensor[] scratch;
    private final Tensor chosen;
    private final Tensor logits;
    private final TokenFlags failedLogits;

    private Workspace(Arena arena, Kernels kernels, ModelConfig config, ShardSlice slice, int capacity) {
        this.arena = arena;
        int heads = slice.groups() * config.headsPerGroup();
        int inner = inner(config, slice);
        DeviceMemory memory = kernels.memory();
        this.capacity = capacity;
        this.normed = memory.floats(arena, capacity, config.hiddenSize());
        this.qkv = memory.floats(arena, capacity, (heads + 2 * slice.groups()) * config.headDim());
        this.attended = memory.floats(arena, capacity, heads * config.headDim());
        this.gateUp = memory.floats(arena, capacity, 2 * inner);
        this.activated = memory.floats(arena, capacity, inner);
        this.scratch = new Tensor[slice.groups() == config.kvHeads() ? 0 : TreeSum.scratchTensors(config.kvHeads())];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = memory.floats(arena, capacity, config.hiddenSize());
        }
        this.chosen = memory.floats(arena, slice.last() ? LOGIT_ROWS : 0, config.hiddenSize());
        this.logits = memory.floats(arena, slice.last() ? LOGIT_ROWS : 0, slice.vocabularyRows());
        this.failedLogits = kernels.flags(arena, LOGIT_ROWS);
    }

    /**
     * A new one.
     *
     * @throws RuntimeException if the kernels' memory has no room
     */
    static Workspace of(Kernels kernels, ModelConfig config, ShardSlice slice, int capacity) {
        return owning(arena -> new Workspace(arena, kernels, config, slice, capacity));
    }

    /** Makes something that owns an arena; if that fails, what it had taken is given back. */
    private static <T> T owning(Function<Arena, T> making) {
        Arena arena = Arena.ofShared();
        try {
            return making.apply(arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /**
     * Bytes of it, without the few of its marks.
     *
     * @param capacity tokens
     */
    static long bytes(ModelConfig config, ShardSlice slice, int capacity) {
        long groups = slice.groups();
        long heads = groups * config.headsPerGroup();
        long inner = inner(config, slice);
        long scratch = groups == config.kvHeads() ? 0 : TreeSum.scratchTensors(config.kvHeads());
        long columns = (1 + scratch) * config.hiddenSize() + (2 * heads + 2 * groups) * config.headDim() + 3 * inner;
        long logits = slice.last() ? LOGIT_ROWS * ((long) config.hiddenSize() + slice.vocabularyRows()) : 0;
        return 4 * (capacity * columns + logits);
    }

    private static int inner(ModelConfig config, ShardSlice slice) {
        return ReductionChunks.feedForward(config.heads(), config.kvHeads(), config.intermediateSize())
                .columns(slice.fromGroup(), slice.toGroup());
    }

    int capacity() {
        return capacity;
    }

    /** {@code [capacity, hidden]}. */
    Tensor normed() {
        return normed;
    }

    /** {@code [capacity, (heads + 2 · kvHeads) · headDim]} of the rank. */
    Tensor qkv() {
        return qkv;
    }

    /** {@code [capacity, heads · headDim]} of the rank. */
    Tensor attended() {
        return attended;
    }

    /** {@code [capacity, 2 · inner]} of the rank. */
    Tensor gateUp() {
        return gateUp;
    }

    /** {@code [capacity, inner]} of the rank. */
    Tensor activated() {
        return activated;
    }

    /** For {@link TreeSum}, each {@code [capacity, hidden]}; none where the rank owns all groups. */
    Tensor[] scratch() {
        return scratch;
    }

    /** States that want logits, {@code [LOGIT_ROWS, hidden]}; no rows outside the last stage. */
    Tensor chosen() {
        return chosen;
    }

    /** Rows of {@link #logits} that are not finite. */
    TokenFlags failedLogits() {
        return failedLogits;
    }

    /** {@code [LOGIT_ROWS, vocabularyRows]}; no rows outside the last stage. */
    Tensor logits() {
        return logits;
    }

    /** May be closed again. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    /** What one open step keeps between its segments. */
    static final class StepState implements AutoCloseable {
        private final Arena arena;
        private final int capacity;
        private final Tensor residual;
        private final Tensor[] sums;
        private final TokenFlags failed;

        private StepState(Arena arena, Kernels kernels, ModelConfig config, ShardSlice slice, int capacity) {
            this.arena = arena;
            this.capacity = capacity;
            this.failed = kernels.flags(arena, capacity);
            this.residual = kernels.memory().floats(arena, capacity, config.hiddenSize());
            this.sums = new Tensor[nodes(config, slice)];
            for (int i = 0; i < sums.length; i++) {
                sums[i] = kernels.memory().floats(arena, capacity, config.hiddenSize());
            }
        }

        /**
         * A new one.
         *
         * @throws RuntimeException if the kernels' memory has no room
         */
        static StepState of(Kernels kernels, ModelConfig config, ShardSlice slice, int capacity) {
            return owning(arena -> new StepState(arena, kernels, config, slice, capacity));
        }

        /** Bytes of it, without the few of its marks. */
        static long bytes(ModelConfig config, ShardSlice slice, int capacity) {
            return 4L * capacity * config.hiddenSize() * (1 + nodes(config, slice));
        }

        /** Sums of a segment that a rank gives its peers, each {@code [tokens, hidden]}. */
        static int nodes(ModelConfig config, ShardSlice slice) {
            return SumTree.maximalNodes(config.kvHeads(), slice.fromGroup(), slice.toGroup())
                    .size();
        }

        int capacity() {
            return capacity;
        }

        /** {@code [capacity, hidden]}. */
        Tensor residual() {
            return residual;
        }

        /** Tokens of the step that met a value that is not finite. */
        TokenFlags failed() {
            return failed;
        }

        /** One {@code [capacity, hidden]} for each of the rank's tree nodes. */
        Tensor[] sums() {
            return sums;
        }

        @Override
        public void close() {
            arena.close();
        }
    }
}
