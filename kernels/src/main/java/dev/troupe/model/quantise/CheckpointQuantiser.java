package dev.troupe.model.quantise;

import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.gguf.GgufLayout;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufMetadata;
import dev.troupe.weights.gguf.GgufParts;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Rounds a checkpoint to block types and writes it as a GGUF file. The same checkpoint gives the same bytes, on any machine
 * and with any number of cores; at most one tensor is in memory.
 */
public final class CheckpointQuantiser {
    private static final String FILE_TYPE = "general.file_type";
    private static final String VERSION = "general.quantization_version";

    /** ggml's {@code GGML_QNT_VERSION}: the layouts of blocks that {@link dev.troupe.tensor.DType} describes. */
    private static final int LAYOUTS = 2;

    /** Keys of a GGUF file that say how it was rounded. */
    private static final Set<String> ROUNDING = Set.of(FILE_TYPE, VERSION);

    private final Checkpoint checkpoint;
    private final GgufLayout layout;
    private final TypePlan plan;

    private CheckpointQuantiser(Checkpoint checkpoint, GgufLayout layout, TypePlan plan) {
        this.checkpoint = checkpoint;
        this.layout = layout;
        this.plan = plan;
    }

    /**
     * Looks at what is to be done, and reads no weights.
     *
     * @throws IllegalArgumentException if the model cannot be written as a GGUF file, is rounded already, or has no matrix
     *     for that type
     * @throws WeightFormatException if a tensor is missing
     */
    public static CheckpointQuantiser of(Checkpoint checkpoint, RoundedType type) throws WeightFormatException {
        return new CheckpointQuantiser(checkpoint, GgufLayout.of(checkpoint.config()), TypePlan.of(checkpoint, type));
    }

    /** A sentence for each kind of matrix that gets another type. */
    public List<String> remarks() {
        return plan.remarks();
    }

    /** Bytes of the tensors that are read. */
    public long bytesBefore() {
        return plan.tensors().stream()
                .mapToLong(tensor -> tensor.source().byteSize())
                .sum();
    }

    /** Bytes of the tensors that are written; the file has keys and a vocabulary beside them. */
    public long bytesAfter() {
        return plan.byteSize();
    }

    /**
     * Writes the file, beside and renamed at the end. Of a GGUF file all keys are taken over.
     *
     * @param vocabulary adds the keys {@code tokenizer.*}; not asked for those of a GGUF file
     * @param progress told of bytes read, by several threads
     * @throws WeightFormatException naming tensor, row and column of a value that no block can hold
     */
    public void write(Path file, Consumer<GgufWriter> vocabulary, LoadProgress progress) throws IOException {
        GgufWriter writer = new GgufWriter();
        GgufMetadata metadata = checkpoint.metadata();
        if (metadata == null) {
            layout.addKeys(writer);
        } else {
            takeOver(metadata, writer);
        }
        writer.integer(FILE_TYPE, plan.wanted().fileType()).integer(VERSION, LAYOUTS);
        if (metadata == null) {
            vocabulary.accept(writer);
        }
        long longest = plan.tensors().stream()
                .mapToLong(TypePlan.Planned::byteSize)
                .max()
                .orElse(0);
        try (Arena arena = Arena.ofShared()) {
            TensorRounding rounding = new TensorRounding(
                    checkpoint.weights(), layout, arena.allocate(longest, 64), progress, bytesBefore());
            layout.addFactors(writer);
            for (TypePlan.Planned tensor : plan.tensors()) {
                writer.tensor(
                        layout.name(tensor.source().name()),
                        tensor.type(),
                        tensor.source().shape(),
                        () -> rounding.bytes(tensor));
            }
            writer.write(file);
        }
    }

    private static void takeOver(GgufMetadata metadata, GgufWriter writer) {
        for (String key : metadata.keys()) {
            boolean rounding = ROUNDING.contains(key) || key.startsWith("quantize.");
            if (!rounding && !GgufParts.isLayout(key)) {
                writer.stored(key, metadata.stored(key));
            }
        }
    }
}
