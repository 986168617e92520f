package dev.troupe.model.decoder;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.model.ModelConfig;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;

/**
 * What a rank computes in, for up to {@code capacity} tokens: overwritten by every segment, so all steps of a shard share
 * one. Its tensors have more rows than a step has tokens.
 */
final class Workspace implements AutoCloseable {
    /** Rows of logits that are computed at once. */
    static final int LOGIT_ROWS = 16;

    private final Arena arena = Arena.ofShared();
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

    Workspace(Kernels kernels, ModelConfig config, ShardSlice slice, int capacity) {
        int heads = slice.groups() * config.headsPerGroup();
        int inner = ReductionChunks.feedForward(config.heads(), config.kvHeads(), config.intermediateSize())
                .columns(slice.fromGroup(), slice.toGroup());
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

    @Override
    public void close() {
        arena.close();
    }

    /** What one open step keeps between its segments. */
    static final class StepState implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        private final int capacity;
        private final Tensor residual;
        private final Tensor[] sums;
        private final TokenFlags failed;

        StepState(Kernels kernels, ModelConfig config, ShardSlice slice, int capacity) {
            this.capacity = capacity;
            this.failed = kernels.flags(arena, capacity);
            this.residual = kernels.memory().floats(arena, capacity, config.hiddenSize());
            this.sums = new Tensor
                    [SumTree.maximalNodes(config.kvHeads(), slice.fromGroup(), slice.toGroup())
                            .size()];
            for (int i = 0; i < sums.length; i++) {
                sums[i] = kernels.memory().floats(arena, capacity, config.hiddenSize());
            }
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
