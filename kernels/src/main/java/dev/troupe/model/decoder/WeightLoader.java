package dev.troupe.model.decoder;

import static dev.troupe.model.DecoderTensors.layer;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.model.DecoderTensors;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.decoder.TensorReader.Part;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import org.jspecify.annotations.Nullable;

/** Reads one rank's slice of a checkpoint, and nothing more of the file, and packs it for the kernels. */
public final class WeightLoader {
    private final ModelConfig config;
    private final ShardSlice slice;
    private final ReductionChunks attentionChunks;
    private final ReductionChunks feedForwardChunks;
    private final TensorReader reader;

    private WeightLoader(ModelConfig config, ShardSlice slice, TensorReader reader) {
        this.config = config;
        this.slice = slice;
        this.attentionChunks = ReductionChunks.attention(config.heads(), config.kvHeads(), config.headDim());
        this.feedForwardChunks =
                ReductionChunks.feedForward(config.heads(), config.kvHeads(), config.intermediateSize());
        this.reader = reader;
    }

    /**
     * Loads the slice.
     *
     * @param memory of the kernels that will compute with it
     * @param threads that read and pack; each needs memory for one more matrix as it lies in the file
     * @param check looks at every piece before it is packed, from all threads
     * @param progress told after every matrix
     * @throws WeightFormatException if a tensor is missing, has another shape or type than the model needs, or does not
     *     pass the check
     */
    public static ShardWeights load(
            Checkpoint checkpoint,
            ShardSlice slice,
            DeviceMemory memory,
            int threads,
            RowCheck check,
            LoadProgress progress)
            throws WeightFormatException {
        Arena arena = Arena.ofShared();
        boolean loaded = false;
        try {
            TensorReader reader =
                    new TensorReader(checkpoint.weights(), check, memory, arena, progress, bytes(checkpoint, slice));
            ShardWeights weights = new WeightLoader(checkpoint.config(), slice, reader).load(memory, arena, threads);
            loaded = true;
            return weights;
        } finally {
            if (!loaded) {
                arena.close();
            }
        }
    }

    /** The same for kernels that run on the host. */
    public static ShardWeights load(
            Checkpoint checkpoint, ShardSlice slice, int threads, RowCheck check, LoadProgress progress)
            throws WeightFormatException {
        return load(checkpoint, slice, DeviceMemory.host(), threads, check, progress);
    }

    /**
     * Bytes of the matrices that {@code slice} reads when it is loaded.
     *
     * @throws WeightFormatException if a tensor is missing
     */
    public static long bytes(Checkpoint checkpoint, ShardSlice slice) throws WeightFormatException {
        ModelConfig config = checkpoint.config();
        WeightSource source = checkpoint.weights();
        ReductionChunks chunks =
                ReductionChunks.feedForward(config.heads(), config.kvHeads(), config.intermediateSize());
        long inner = chunks.columns(slice.fromGroup(), slice.toGroup());
        long bytes = 0;
        for (int l = slice.fromLayer(); l < slice.toLayer(); l++) {
            for (String part : List.of(
                    DecoderTensors.QUERY, DecoderTensors.KEY, DecoderTensors.VALUE, DecoderTensors.ATTENTION_OUT)) {
                bytes += source.require(layer(l, part + ".weight")).byteSize() / config.kvHeads() * slice.groups();
            }
            for (String part : List.of(DecoderTensors.GATE, DecoderTensors.UP, DecoderTensors.DOWN)) {
                bytes += source.require(layer(l, part + ".weight")).byteSize() * inner / config.intermediateSize();
            }
        }
        if (slice.vocabularyRows() > 0) {
            WeightTensor head = source.require(headName(config));
            bytes += head.rowBytes() * slice.vocabularyRows();
        }
        return bytes;
    }

    private static String headName(ModelConfig config) {
        return config.tiedEmbeddings() ? DecoderTensors.EMBEDDING : DecoderTensors.HEAD;
    }

    private ShardWeights load(DeviceMemory memory, Arena arena, int threads) throws WeightFormatException {
        Tensor embedding = slice.first() ? reader.whole(DecoderTensors.EMBEDDING) : null;
        Tensor finalNorm = slice.last() ? norm(DecoderTensors.FINAL_NORM, config.hiddenSize()) : null;
        ThreadFactory factory =
                Thread.ofPlatform().daemon().name("troupe-weights-", 1).factory();
        // Closing it waits: nobody may write to an arena that is closed after a failure.
        try (ExecutorService readers = Executors.newFixedThreadPool(threads, factory)) {
            try {
                Future<@Nullable StackedMatrix> head = readers.submit(this::loadHead);
                List<Future<LayerWeights>> layers = new ArrayList<>();
                for (int l = slice.fromLayer(); l < slice.toLayer(); l++) {
                    int layer = l;
                    layers.add(readers.submit(() -> loadLayer(layer)));
                }
                List<LayerWeights> loaded = new ArrayList<>();
                for (Future<LayerWeights> layer : layers) {
                    loaded.add(layer.get());
                }
                return new ShardWeights(config, slice, memory, arena, embedding, loaded, finalNorm, head.get());
            } catch (ExecutionException e) {
                readers.shutdownNow();
                throw failure(e);
            } catch (InterruptedException e) {
                readers.shutdownNow();
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while weights were loaded", e);
            }
        }
    }

    private static WeightFormatException failure(ExecutionException e) {
        return switch (e.getCause()) {
            case WeightFormatException format -> format;
            case RuntimeException other -> throw other;
            case Error error -> throw error;
            case null, default -> throw new IllegalStateException(e);
        };
    }

    private @Nullable StackedMatrix loadHead() throws WeightFormatException {
        return slice.vocabularyRows() == 0
                ? null
                : reader.packRows(List.of(new Part(headName(config), slice.fromRow(), slice.toRow())));
    }

    private LayerWeights loadLayer(int l) throws WeightFormatException {
        int keys = config.headDim();
        int queries = config.headsPerGroup() * keys;
        List<Part> qkv = List.of(
                groupRows(l, DecoderTensors.QUERY, queries),
                groupRows(l, DecoderTensors.KEY, keys),
                groupRows(l, DecoderTensors.VALUE, keys));
        int from = feedForwardChunks.groupStart(slice.fromGroup());
        int to = feedForwardChunks.groupStart(slice.toGroup());
        List<Part> gateUp = List.of(
                new Part(layer(l, DecoderTensors.GATE), from, to), new Part(layer(l, DecoderTensors.UP), from, to));
        return new LayerWeights(
                norm(layer(l, DecoderTensors.INPUT_NORM), config.hiddenSize()),
                reader.packRows(suffixed(qkv, ".weight")),
                config.attentionBias() ? reader.vector(suffixed(qkv, ".bias")) : null,
                config.headNorm() ? norm(layer(l, DecoderTensors.QUERY_NORM), config.headDim()) : null,
                config.headNorm() ? norm(layer(l, DecoderTensors.KEY_NORM), config.headDim()) : null,
                columns(l, DecoderTensors.ATTENTION_OUT, attentionChunks),
                outputBias(l, DecoderTensors.ATTENTION_OUT, config.attentionOutputBias()),
                norm(layer(l, DecoderTensors.POST_NORM), config.hiddenSize()),
                reader.packRows(suffixed(gateUp, ".weight")),
                config.feedForwardBias() ? reader.vector(suffixed(gateUp, ".bias")) : null,
                columns(l, DecoderTensors.DOWN, feedForwardChunks),
                outputBias(l, DecoderTensors.DOWN, config.feedForwardBias()));
    }

    private Part groupRows(int l, String part, int rowsPerGroup) {
        return new Part(layer(l, part), slice.fromGroup() * rowsPerGroup, slice.toGroup() * rowsPerGroup);
    }

    private static List<Part> suffixed(List<Part> parts, String suffix) {
        return parts.stream()
                .map(part -> new Part(part.name() + suffix, part.from(), part.to()))
                .toList();
    }

    private ChunkedMatrix columns(int l, String part, ReductionChunks chunks) throws WeightFormatException {
        return reader.packColumns(layer(l, part + ".weight"), chunks, slice.fromGroup(), slice.toGroup());
    }

    private Tensor norm(String name, int size) throws WeightFormatException {
        return reader.vector(List.of(new Part(name, 0, size)));
    }

    /** Every rank finishes the sum by itself, so every rank has the whole bias. */
    private @Nullable Tensor outputBias(int l, String part, boolean present) throws WeightFormatException {
        return present ? norm(layer(l, part + ".bias"), config.hiddenSize()) : null;
    }
}
