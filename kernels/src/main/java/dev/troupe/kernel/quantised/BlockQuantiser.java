package dev.troupe.kernel.quantised;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.troupe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * Rounds rows of f32 to the blocks that {@link DType} describes, with the arithmetic of ggml's reference functions
 * ({@code quantize_row_q8_0_ref} and so on in ggml-quants.c): every operation in f32, in their order and never fused, so
 * that the same row is the same bytes on every machine. Keeps scratch memory, so a thread needs its own.
 *
 * <p>Where the scale of a block is so small that its reciprocal is infinite the reference leaves open what comes out; here
 * such a block is zeros, which is what its f16 scale of 0 makes of it anyway.
 */
public final class BlockQuantiser {
    /** Types that can be rounded to. */
    private static final Set<DType> TYPES = Set.of(DType.Q8_0, DType.Q4_0, DType.Q4_K);

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final DType type;
    private final SuperBlockQuantiser superBlocks = new SuperBlockQuantiser();

    /** @throws IllegalArgumentException if nothing is rounded to {@code type} here */
    public BlockQuantiser(DType type) {
        if (!TYPES.contains(type)) {
            throw new IllegalArgumentException(
                    "%s is no type to round to; these are: q8_0, q4_0, q4_k".formatted(type.label()));
        }
        this.type = type;
    }

    /**
     * Rounds a row.
     *
     * @param row as many values as fill whole blocks
     * @param to gets the stored blocks, {@code type.rowBytes(row.length)} bytes
     * @return a column whose value no block can hold, because it is not finite or so large that the scale of its block is
     *     beyond f16; −1 if there is none
     * @throws IllegalArgumentException if the row does not fill whole blocks, or {@code to} has another size
     */
    public int round(float[] row, MemorySegment to) {
        if (to.byteSize() != type.rowBytes(row.length)) {
            throw new IllegalArgumentException("%d values of type %s take %d bytes, got %d"
                    .formatted(row.length, type.label(), type.rowBytes(row.length), to.byteSize()));
        }
        long at = 0;
        for (int from = 0; from < row.length; from += type.blockSize()) {
            int largest = largest(row, from, from + type.blockSize());
            boolean held = Float.isFinite(row[largest])
                    && switch (type) {
                        case Q8_0 -> q8(row, from, row[largest], to, at);
                        case Q4_0 -> q4(row, from, row[largest], to, at);
                        default -> superBlocks.round(row, from, row[largest], to, at);
                    };
            if (!held) {
                return largest;
            }
            at += type.blockBytes();
        }
        return -1;
    }

    /** The first column of largest magnitude, or the first that is not a number. */
    private static int largest(float[] row, int from, int to) {
        int largest = from;
        for (int k = from; k < to; k++) {
            if (Float.isNaN(row[k])) {
                return k;
            }
            if (Math.abs(row[k]) > Math.abs(row[largest])) {
                largest = k;
            }
        }
        return largest;
    }

    /** Whether a scale is a number as f16 too. */
    static boolean isHeld(short scale) {
        return Float.isFinite(Float.float16ToFloat(scale));
    }

    private static boolean q8(float[] row, int from, float largest, MemorySegment to, long at) {
        float d = Math.abs(largest) / 127;
        float inverse = inverse(d);
        short stored = Float.floatToFloat16(d);
        to.set(SHORT, at, stored);
        for (int k = 0; k < 32; k++) {
            to.set(JAVA_BYTE, at + 2 + k, (byte) awayFromZero(row[from + k] * inverse));
        }
        return isHeld(stored);
    }

    private static boolean q4(float[] row, int from, float largest, MemorySegment to, long at) {
        float d = largest == 0 ? -0.0f : largest / -8;
        float inverse = inverse(d);
        short stored = Float.floatToFloat16(d);
        to.set(SHORT, at, stored);
        for (int i = 0; i < 16; i++) {
            int low = Math.min(15, (int) (row[from + i] * inverse + 8.5f));
            int high = Math.min(15, (int) (row[from + 16 + i] * inverse + 8.5f));
            to.set(JAVA_BYTE, at + 2 + i, (byte) (low | high << 4));
        }
        return isHeld(stored);
    }

    private static float inverse(float d) {
        float inverse = d == 0 ? 0 : 1 / d;
        return Float.isInfinite(inverse) ? 0 : inverse;
    }

    /** The nearest integer, halves away from zero: adding a half first would round 0.49999997 up. */
    private static int awayFromZero(float value) {
        int whole = (int) value;
        float rest = value - whole;
        return rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
    }
}
