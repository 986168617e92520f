package dev.troupe.model.decoder;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.tensor.Rows;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One rank's share of one stage of a Llama, Mistral, Qwen2 or Qwen3 model: weights, key and value store, workspace. What
 * the families do differently is in the weights that a layer has (biases, head norms) and in its window; the segments
 * are the same.
 */
public final class DecoderShard implements ShardCompute {
    private static final int SMALLEST_CAPACITY = 16;

    private final ModelConfig config;
    private final ShardSlice slice;
    private final ShardWeights weights;
    private final Kernels kernels;
    private final KvStore store;
    private final int positions;
    private final RopeTable rope;
    private final List<SumTree.Node> nodes;
    private final TreeSum treeSum;
    private final Deque<Workspace.StepState> idle = new ArrayDeque<>();
    private Workspace workspace;
    private boolean closed;

    /**
     * @param weights taken over: closed with the shard
     * @param kernels taken over: closed with the shard
     * @param kv size of the store; sequences can be as long as it and the model's positions allow
     * @throws IllegalArgumentException if the block size does not work
     * @throws RuntimeException if the kernels' memory has no room; after any failure weights and kernels are still the caller's
     */
    public DecoderShard(ShardWeights weights, Kernels kernels, KvSettings kv) {
        this.config = weights.config();
        this.slice = weights.slice();
        this.weights = weights;
        this.kernels = kernels;
        this.positions = Math.min(config.maxPositions(), kv.tokens());
        this.nodes = SumTree.maximalNodes(config.kvHeads(), slice.fromGroup(), slice.toGroup());
        this.treeSum = new TreeSum(kernels, config.kvHeads(), nodes);
        this.store = new KvStore(
                kernels.memory(),
                kv.type(),
                slice.layers(),
                slice.groups(),
                config.headDim(),
                kv.blockSize(),
                kv.blocks());
        boolean made = false;
        try {
            this.rope = weights.rope(positions);
            this.workspace = Workspace.of(kernels, config, slice, SMALLEST_CAPACITY);
            made = true;
        } finally {
            if (!made) {
                store.close();
            }
        }
    }

    @Override
    public int segments() {
        return 2 * slice.layers();
    }

    @Override
    public int hiddenSize() {
        return config.hiddenSize();
    }

    @Override
    public int firstVocabularyRow() {
        return slice.fromRow();
    }

    @Override
    public int vocabularyRows() {
        return slice.vocabularyRows();
    }

    @Override
    public ShardStep begin(TokenBatch batch, @Nullable Rows hidden) {
        requireBatch(batch);
        if (slice.first() != (hidden == null)) {
            throw new IllegalArgumentException(
                    slice.first()
                            ? "the first stage looks its embeddings up, got %s".formatted(hidden)
                            : "a stage from layer %d on needs a hidden state, got none".formatted(slice.fromLayer()));
        }
        if (hidden != null && (hidden.rows() != batch.tokens() || hidden.columns() != config.hiddenSize())) {
            throw new IllegalArgumentException(
                    "the hidden state is %s, expected [%d, %d]".formatted(hidden, batch.tokens(), config.hiddenSize()));
        }
        return new DecoderStep(this, batch, hidden, acquire(batch.tokens()));
    }

    private void requireBatch(TokenBatch batch) {
        if (closed) {
            throw new IllegalStateException("the shard of %s is closed".formatted(slice));
        }
        for (int t = 0; t < batch.tokens(); t++) {
            if (batch.id(t) < 0 || batch.id(t) >= config.vocabularySize()) {
                throw new IllegalArgumentException(
                        "token %d has id=%d, the vocabulary has %d".formatted(t, batch.id(t), config.vocabularySize()));
            }
            if (batch.position(t) >= positions) {
                throw new IllegalArgumentException(
                        "token %d has position=%d, the model and the cache allow %d positions"
                                .formatted(t, batch.position(t), positions));
            }
        }
        requireBlocks(batch);
    }

    private void requireBlocks(TokenBatch batch) {
        for (int t = 0; t < batch.tokens(); t++) {
            boolean lastOfSequence = t + 1 == batch.tokens() || batch.sequence(t + 1) != batch.sequence(t);
            if (!lastOfSequence) {
                continue;
            }
            int s = batch.sequence(t);
            int needed = batch.position(t) / store.blockSize() + 1;
            if (batch.blocks(s) < needed) {
                throw new IllegalArgumentException("position %d of sequence %d needs %d blocks of %d tokens, it has %d"
                        .formatted(batch.position(t), s, needed, store.blockSize(), batch.blocks(s)));
            }
            for (int b = 0; b < needed; b++) {
                int block = batch.block(s, b * store.blockSize(), store.blockSize());
                if (block < 0 || block >= store.blocks()) {
                    throw new IllegalArgumentException(
                            "sequence %d has block %d, the store has %d".formatted(s, block, store.blocks()));
                }
            }
        }
    }

    /** Tokens for which a workspace is made that has to hold so many. */
    static int capacity(int tokens) {
        return Math.max(SMALLEST_CAPACITY, Integer.highestOneBit(Math.max(1, tokens - 1)) * 2);
    }

    private Workspace.StepState acquire(int tokens) {
        int capacity = capacity(tokens);
        if (workspace.capacity() < tokens) {
            workspace.close();
            workspace = Workspace.of(kernels, config, slice, capacity);
        }
        Workspace.StepState state = idle.poll();
        if (state != null && state.capacity() < tokens) {
            state.close();
            state = null;
        }
        return state != null ? state : Workspace.StepState.of(kernels, config, slice, capacity);
    }

    /** Takes back what a closed step used. */
    void release(Workspace.StepState state) {
        if (closed) {
            state.close();
        } else {
            idle.push(state);
        }
    }

    ModelConfig config() {
        return config;
    }

    ShardSlice slice() {
        return slice;
    }

    ShardWeights weights() {
        return weights;
    }

    Kernels kernels() {
        return kernels;
    }

    KvStore store() {
        return store;
    }

    RopeTable rope() {
        return rope;
    }

    TreeSum treeSum() {
        return treeSum;
    }

    Workspace workspace() {
        return workspace;
    }

    /** Whether no peer needs this rank's sums. */
    boolean ownsAllGroups() {
        return slice.groups() == config.kvHeads();
    }

    /** The rank's maximal nodes of the tree, ascending. */
    List<SumTree.Node> nodes() {
        return nodes;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        Workspace last = workspace;
        // From the last to the first, each whatever the others do: kernels end after the memory that they have used.
        try (kernels;
                weights;
                store;
                last) {
            idle.forEach(Workspace.StepState::close);
            idle.clear();
        }
    }
}
