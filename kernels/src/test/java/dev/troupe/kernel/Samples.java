package dev.troupe.kernel;

import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Seeded random tensors in file layout, and the values they stand for. */
public final class Samples {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    private Samples() {}

    /** An f32 tensor of normal values. */
    public static Tensor floats(Arena arena, int rows, int columns, Random random) {
        Tensor tensor = Tensor.floats(arena, rows, columns);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                tensor.set(r, c, (float) random.nextGaussian());
            }
        }
        return tensor;
    }

    /** An f32 tensor of one row. */
    public static Tensor row(Arena arena, float... values) {
        Tensor tensor = Tensor.floats(arena, 1, values.length);
        for (int c = 0; c < values.length; c++) {
            tensor.set(0, c, values[c]);
        }
        return tensor;
    }

    /**
     * Weights of any type. Block types have random bytes, and scales that are negative, zero and subnormal now and then; f16
     * has subnormal values.
     */
    public static Tensor weights(Arena arena, DType type, int rows, int columns, Random random) {
        Tensor tensor = new Tensor(
                type,
                rows,
                columns,
                arena.allocate(Math.max(1, type.rowBytes(columns) * rows)).asSlice(0, type.rowBytes(columns) * rows));
        MemorySegment memory = tensor.memory();
        long elements = (long) rows * columns;
        switch (type) {
            case F32 -> {
                for (long i = 0; i < elements; i++) {
                    memory.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * i, (float) random.nextGaussian() * 0.05f);
                }
            }
            case BF16 -> {
                for (long i = 0; i < elements; i++) {
                    int bits = Float.floatToRawIntBits((float) random.nextGaussian() * 0.05f);
                    memory.set(SHORT, 2 * i, (short) (bits >> 16));
                }
            }
            case F16 -> {
                for (long i = 0; i < elements; i++) {
                    float size = random.nextInt(10) == 0 ? 1e-6f : 0.05f;
                    memory.set(SHORT, 2 * i, Float.floatToFloat16((float) random.nextGaussian() * size));
                }
            }
            default -> blocks(tensor, random);
        }
        return tensor;
    }

    /** The value that an element of a tensor in file layout stands for. */
    public static double value(Tensor tensor, int row, int column) {
        long at = row * tensor.type().rowBytes(tensor.columns());
        MemorySegment memory = tensor.memory();
        return switch (tensor.type()) {
            case F32 -> memory.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at + 4L * column);
            case BF16 -> Float.intBitsToFloat(memory.get(SHORT, at + 2L * column) << 16);
            case F16 -> Float.float16ToFloat(memory.get(SHORT, at + 2L * column));
            default -> StoredElements.at(tensor, row, column).value();
        };
    }

    /** Random bytes with scales that make values of at most about 0.6. */
    private static void blocks(Tensor tensor, Random random) {
        DType type = tensor.type();
        MemorySegment memory = tensor.memory();
        for (long i = 0; i < memory.byteSize(); i++) {
            memory.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(256));
        }
        for (long block = 0; block < memory.byteSize(); block += type.blockBytes()) {
            switch (type) {
                case F32, BF16, F16 -> throw new IllegalArgumentException(type + " has no blocks");
                case Q8_0 -> scales(memory, block, 128, random);
                case Q4_0 -> scales(memory, block, 8, random);
                case Q4_1 -> scales(memory, block, 15, block + 2, 1, random);
                case Q5_0 -> scales(memory, block, 16, random);
                case Q5_1 -> scales(memory, block, 31, block + 2, 1, random);
                case Q2_K -> scales(memory, block + 80, 45, block + 82, 15, random);
                case Q3_K -> scales(memory, block + 108, 128, random);
                case Q4_K -> scales(memory, block, 945, block + 2, 63, random);
                case Q5_K -> scales(memory, block, 1953, block + 2, 63, random);
                case Q6_K -> scales(memory, block + 208, 4096, random);
                case IQ4_NL -> scales(memory, block, 127, random);
                case MXFP4 -> memory.set(ValueLayout.JAVA_BYTE, block, (byte) (random.nextInt(10) == 0 ? 1 : 120));
            }
        }
    }

    private static void scales(MemorySegment memory, long scale, int most, long offset, int mostOffset, Random random) {
        scales(memory, scale, most, random);
        scales(memory, offset, mostOffset, random);
    }

    private static void scales(MemorySegment memory, long at, int most, Random random) {
        float scale = switch (random.nextInt(10)) {
            case 0 -> 0f;
            case 1 -> 3e-6f;
            case 2 -> -0.003f;
            default -> 0.001f + random.nextFloat() * 0.004f;
        };
        memory.set(SHORT, at, Float.floatToFloat16(scale * 128 / most));
    }
}
