package dev.troupe.kernel;

import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One element of a block-quantised tensor in file layout, read by itself: {@code d · scale · q + b · min}. Written from the
 * formats' descriptions for the tests alone, so that it shares nothing with what they test.
 *
 * @param b 0 if the type has no offset
 */
public record StoredElements(float d, int scale, int q, float b, int min) {
    private static final int[] IQ4_NL = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    private static final int[] MXFP4 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

    /** The element at a row and column. */
    public static StoredElements at(Tensor tensor, int row, int column) {
        DType type = tensor.type();
        long rowBytes = type.rowBytes(tensor.columns());
        long from = row * rowBytes + (long) (column / type.blockSize()) * type.blockBytes();
        Block block = new Block(tensor.memory().asSlice(from, type.blockBytes()));
        int k = column % type.blockSize();
        return switch (type) {
            case F32, BF16, F16 -> throw new IllegalArgumentException(type + " has no blocks");
            case Q8_0 -> plain(block.half(0), (byte) block.at(2 + k));
            case Q4_0 -> plain(block.half(0), block.nibble(2, k) - 8);
            case Q4_1 -> new StoredElements(block.half(0), 1, block.nibble(4, k), block.half(2), 1);
            case Q5_0 -> plain(block.half(0), block.nibble(6, k) + 16 * block.bit(2, k) - 16);
            case Q5_1 ->
                new StoredElements(block.half(0), 1, block.nibble(8, k) + 16 * block.bit(4, k), block.half(2), 1);
            case IQ4_NL -> plain(block.half(0), IQ4_NL[block.nibble(2, k)]);
            case MXFP4 -> plain((float) Math.pow(2, block.at(0) - 128), MXFP4[block.nibble(1, k)]);
            case Q2_K -> {
                int pair = block.at(k / 16);
                yield new StoredElements(block.half(80), pair % 16, block.two(16, k), -block.half(82), pair / 16);
            }
            case Q3_K -> {
                int q = block.two(32, k) + 4 * block.bitOfColumn(0, k) - 4;
                yield new StoredElements(block.half(108), block.sixBits(96, k / 16) - 32, q, 0, 0);
            }
            case Q4_K -> {
                int q = block.nibbleOf64(16, k);
                yield new StoredElements(
                        block.half(0), block.scale(4, k / 32), q, -block.half(2), block.min(4, k / 32));
            }
            case Q5_K -> {
                int q = block.nibbleOf64(48, k) + 16 * block.bitOfColumn(16, k);
                yield new StoredElements(
                        block.half(0), block.scale(4, k / 32), q, -block.half(2), block.min(4, k / 32));
            }
            case Q6_K -> {
                int low = block.at(k / 128 * 64 + k % 64);
                int q = (k % 128 < 64 ? low % 16 : low / 16) + 16 * block.two(128, k) - 32;
                yield new StoredElements(block.half(208), (byte) block.at(192 + k / 16), q, 0, 0);
            }
        };
    }

    private static StoredElements plain(float d, int q) {
        return new StoredElements(d, 1, q, 0, 0);
    }

    /** The value without any rounding. */
    public double value() {
        return (double) d * scale * q + (double) b * min;
    }

    private record Block(MemorySegment bytes) {
        int at(int i) {
            return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, i));
        }

        float half(int i) {
            return Float.float16ToFloat((short) (at(i) + 256 * at(i + 1)));
        }

        /** Columns 0 to 15 in low halves. */
        int nibble(int from, int k) {
            return k < 16 ? at(from + k) % 16 : at(from + k - 16) / 16;
        }

        int bit(int from, int k) {
            return (at(from + k / 8) >> (k % 8)) & 1;
        }

        /** Bit k / 32 of byte k mod 32. */
        int bitOfColumn(int from, int k) {
            return (at(from + k % 32) >> (k / 32)) & 1;
        }

        /** Four columns, 32 apart, in a byte. */
        int two(int from, int k) {
            return (at(from + k / 128 * 32 + k % 32) >> (k % 128 / 32 * 2)) & 3;
        }

        /** Two columns, 32 apart, in a byte. */
        int nibbleOf64(int from, int k) {
            int pair = at(from + k / 64 * 32 + k % 32);
            return k % 64 < 32 ? pair % 16 : pair / 16;
        }

        /** q3_k's scale s. */
        int sixBits(int from, int s) {
            int low = s < 8 ? at(from + s) % 16 : at(from + s - 8) / 16;
            return low + 16 * ((at(from + 8 + s % 4) >> (s / 4 * 2)) & 3);
        }

        int scale(int from, int s) {
            return s < 4 ? at(from + s) % 64 : at(from + 4 + s) % 16 + 16 * (at(from + s - 4) / 64);
        }

        int min(int from, int s) {
            return s < 4 ? at(from + 4 + s) % 64 : at(from + 4 + s) / 16 + 16 * (at(from + s) / 64);
        }
    }
}
