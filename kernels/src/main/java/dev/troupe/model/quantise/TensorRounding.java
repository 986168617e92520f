package dev.troupe.model.quantise;

import dev.troupe.kernel.quantised.BlockQuantiser;
import dev.troupe.model.gguf.GgufLayout;
import dev.troupe.tensor.DType;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** Makes the bytes of one tensor after the other, in the order of a GGUF file; rows of one are rounded on all cores. */
final class TensorRounding {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Elements that a thread rounds before it looks for more. */
    private static final long PIECE = 1 << 17;

    private final WeightSource source;
    private final GgufLayout layout;
    private final MemorySegment buffer;
    private final LoadProgress progress;
    private final long bytesTotal;
    private final AtomicLong bytesDone = new AtomicLong();

    /**
     * @param buffer as long as the longest tensor that comes out; every thread may write to it
     * @param progress told of bytes read
     */
    TensorRounding(
            WeightSource source, GgufLayout layout, MemorySegment buffer, LoadProgress progress, long bytesTotal) {
        this.source = source;
        this.layout = layout;
        this.buffer = buffer;
        this.progress = progress;
        this.bytesTotal = bytesTotal;
    }

    /**
     * A tensor as the file has it, valid up to the next call.
     *
     * @throws WeightFormatException naming tensor, row and column of a value that its type cannot hold
     */
    MemorySegment bytes(TypePlan.Planned planned) throws WeightFormatException {
        MemorySegment target = buffer.asSlice(0, planned.byteSize());
        if (!planned.isMatrix()) {
            writeVector(planned, target);
            return target;
        }
        long rows = planned.source().rows();
        long together = Math.max(1, PIECE / planned.columns());
        // The first of several, whichever thread is first.
        Optional<WeightFormatException> broken = LongStream.range(0, Math.ceilDiv(rows, together))
                .parallel()
                .mapToObj(piece -> Optional.ofNullable(
                        writeRows(planned, piece * together, Math.min(rows, (piece + 1) * together), target)))
                .flatMap(Optional::stream)
                .findFirst();
        if (broken.isPresent()) {
            throw broken.get();
        }
        return target;
    }

    private void writeVector(TypePlan.Planned planned, MemorySegment target) throws WeightFormatException {
        WeightTensor tensor = planned.source();
        float[] values = new float[Math.toIntExact(planned.columns())];
        try (Arena arena = Arena.ofConfined()) {
            widen(tensor, source.bytes(tensor, arena), values);
        }
        for (int i = 0; i < values.length; i++) {
            int column = (int) layout.source(tensor.name(), i);
            if (!Float.isFinite(values[column])) {
                throw broken(planned, 0, column, values[column]);
            }
            target.set(FLOAT, (long) Float.BYTES * i, values[column]);
        }
        advance(tensor.byteSize());
    }

    /** Writes rows {@code [from, to)} of the file's order, or says which value is none that the type holds. */
    private @Nullable WeightFormatException writeRows(
            TypePlan.Planned planned, long from, long to, MemorySegment target) {
        WeightTensor tensor = planned.source();
        float[] values = new float[Math.toIntExact(planned.columns())];
        long rowBytes = planned.type().rowBytes(values.length);
        BlockQuantiser quantiser = planned.type().quantised() ? new BlockQuantiser(planned.type()) : null;
        try (Arena arena = Arena.ofConfined()) {
            for (long row = from; row < to; row++) {
                long sourceRow = layout.source(tensor.name(), row);
                MemorySegment bytes = source.rows(tensor, sourceRow, sourceRow + 1, arena);
                widen(tensor, bytes, values);
                MemorySegment stored = target.asSlice(row * rowBytes, rowBytes);
                int column = quantiser == null ? notFinite(values) : quantiser.round(values, stored);
                if (column >= 0) {
                    return broken(planned, sourceRow, column, values[column]);
                }
                if (quantiser == null) {
                    stored.copyFrom(bytes);
                }
            }
        }
        advance((to - from) * tensor.rowBytes());
        return null;
    }

    private static void widen(WeightTensor tensor, MemorySegment bytes, float[] values) {
        DType type = Objects.requireNonNull(tensor.type(), tensor.name());
        for (int k = 0; k < values.length; k++) {
            values[k] = switch (type) {
                case F32 -> bytes.get(FLOAT, 4L * k);
                case BF16 -> Float.intBitsToFloat(bytes.get(SHORT, 2L * k) << 16);
                case F16 -> Float.float16ToFloat(bytes.get(SHORT, 2L * k));
                default -> throw new IllegalArgumentException("%s has blocks".formatted(tensor));
            };
        }
    }

    private static int notFinite(float[] values) {
        for (int k = 0; k < values.length; k++) {
            if (!Float.isFinite(values[k])) {
                return k;
            }
        }
        return -1;
    }

    private static WeightFormatException broken(TypePlan.Planned planned, long row, int column, float value) {
        return new WeightFormatException("%s: tensor '%s' has %s at row %d, column %d, %s"
                .formatted(
                        planned.source().file(),
                        planned.source().name(),
                        value,
                        row,
                        column,
                        Float.isFinite(value)
                                ? "too large for the f16 scale of %s"
                                        .formatted(planned.type().label())
                                : "expected a finite number"));
    }

    private void advance(long bytes) {
        progress.at(bytesDone.addAndGet(bytes), bytesTotal);
    }
}
