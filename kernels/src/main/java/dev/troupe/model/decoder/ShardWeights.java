package dev.troupe.model.decoder;

import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.model.ModelConfig;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One rank's packed weights: read-only, so several shards (those of successive epochs on one node) may compute with the
 * same ones. Counts its holders and frees the memory when the last one closes it.
 */
public final class ShardWeights implements AutoCloseable {
    private final ModelConfig config;
    private final ShardSlice slice;
    private final DeviceMemory memory;
    private final Arena arena;
    private final @Nullable Tensor embedding;
    private final List<LayerWeights> layers;
    private final @Nullable Tensor finalNorm;
    private final @Nullable StackedMatrix head;
    private @Nullable RopeTable rope;
    private int holders = 1;

    /**
     * @param memory where all lies but the embedding
     * @param arena owns the memory of all that is not mapped
     * @param embedding {@code [vocabulary, hidden]} as it lies in the file, on the host, on the first stage
     * @param finalNorm {@code [1, hidden]} on the last stage
     * @param head {@code [vocabularyRows, hidden]} on the last stage, or null if the rank has no rows
     */
    ShardWeights(
            ModelConfig config,
            ShardSlice slice,
            DeviceMemory memory,
            Arena arena,
            @Nullable Tensor embedding,
            List<LayerWeights> layers,
            @Nullable Tensor finalNorm,
            @Nullable StackedMatrix head) {
        this.config = config;
        this.slice = slice;
        this.memory = memory;
        this.arena = arena;
        this.embedding = embedding;
        this.layers = List.copyOf(layers);
        this.finalNorm = finalNorm;
        this.head = head;
    }

    public ModelConfig config() {
        return config;
    }

    public ShardSlice slice() {
        return slice;
    }

    @Nullable
    Tensor embedding() {
        return embedding;
    }

    /** Layers of the stage, counted from its first. */
    List<LayerWeights> layers() {
        return layers;
    }

    @Nullable
    Tensor finalNorm() {
        return finalNorm;
    }

    @Nullable
    StackedMatrix head() {
        return head;
    }

    /**
     * The rotation of positions 0 to {@code positions} − 1 at least. Kept, because computing it for a long context takes
     * longer than a new epoch should wait.
     */
    synchronized RopeTable rope(int positions) {
        RopeTable known = rope;
        if (known == null || known.cosines().rows() < positions) {
            known = RopeTables.build(config.rope(), config.headDim(), positions, memory, arena);
            rope = known;
        }
        return known;
    }

    /** Bytes of weights that computing one token reads, logits included. */
    public long bytesPerToken() {
        long bytes = layers.stream().mapToLong(LayerWeights::byteSize).sum();
        return head == null ? bytes : bytes + head.byteSize();
    }

    /**
     * Another holder, who must close it too.
     *
     * @throws IllegalStateException if the memory is freed already
     */
    public synchronized ShardWeights share() {
        if (holders == 0) {
            throw new IllegalStateException("the weights of %s are closed".formatted(slice));
        }
        holders++;
        return this;
    }

    @Override
    public synchronized void close() {
        if (holders == 0) {
            throw new IllegalStateException("the weights of %s were closed more often than shared".formatted(slice));
        }
        holders--;
        if (holders == 0) {
            arena.close();
        }
    }
}
