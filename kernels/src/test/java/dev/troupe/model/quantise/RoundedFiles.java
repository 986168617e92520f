package dev.troupe.model.quantise;

import dev.troupe.kernel.quantised.BlockQuantiser;
import dev.troupe.kernel.quantised.StoredBlocks;
import dev.troupe.kernel.quantised.WeightBlock;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.DType;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/** Rounded files of the tests, and the values in them. */
final class RoundedFiles {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private RoundedFiles() {}

    /** Writes a checkpoint with the token ids of its configuration for a vocabulary. */
    static Path write(Checkpoint checkpoint, RoundedType type, Path file) throws IOException {
        CheckpointQuantiser.of(checkpoint, type).write(file, ids(checkpoint), LoadProgress.NONE);
        return file;
    }

    private static Consumer<GgufWriter> ids(Checkpoint checkpoint) {
        return writer -> {
            Integer bos = checkpoint.config().bosToken();
            if (bos != null) {
                writer.integer("tokenizer.ggml.bos_token_id", bos);
            }
            List<Integer> ends = checkpoint.config().eosTokens();
            if (!ends.isEmpty()) {
                writer.integer("tokenizer.ggml.eos_token_id", ends.getFirst());
            }
        };
    }

    /** A row of a matrix, or a whole vector, as f32. */
    static float[] row(WeightSource weights, WeightTensor tensor, long row) {
        DType type = Objects.requireNonNull(tensor.type());
        float[] values = new float[Math.toIntExact(tensor.shape().getLast())];
        MemorySegment bytes = weights.rows(tensor, row, row + 1, Arena.ofAuto());
        if (type.quantised()) {
            read(type, bytes, values);
            return values;
        }
        for (int k = 0; k < values.length; k++) {
            values[k] = switch (type) {
                case F32 -> bytes.get(FLOAT, 4L * k);
                case BF16 -> Float.intBitsToFloat(bytes.get(SHORT, 2L * k) << 16);
                default -> Float.float16ToFloat(bytes.get(SHORT, 2L * k));
            };
        }
        return values;
    }

    /** What a row stands for after rounding to {@code type}; itself for a type without blocks. */
    static float[] rounded(DType type, float[] row) {
        if (!type.quantised()) {
            return row;
        }
        MemorySegment stored = Arena.ofAuto().allocate(type.rowBytes(row.length));
        float[] values = new float[row.length];
        new BlockQuantiser(type).round(row, stored);
        read(type, stored, values);
        return values;
    }

    private static void read(DType type, MemorySegment stored, float[] values) {
        WeightBlock block = new WeightBlock(type);
        for (int k = 0; k < values.length; k++) {
            if (k % 32 == 0) {
                StoredBlocks.read(stored, k / 32, block);
            }
            values[k] = block.value(k % 32);
        }
    }
}
