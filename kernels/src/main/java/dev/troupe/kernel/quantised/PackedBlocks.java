package dev.troupe.kernel.quantised;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Writing and reading of one row's block in the layout of {@link PackedFormat}. */
public final class PackedBlocks {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private PackedBlocks() {}

    /**
     * Writes a block. Its row must be zero before.
     *
     * @param scales offset of the piece's float scales in {@code memory}
     * @param piece offset of the piece
     * @param lane row of the group, 0 to 31
     */
    public static void write(WeightBlock block, MemorySegment memory, long scales, long piece, int lane) {
        PackedFormat format = block.format;
        memory.set(SHORT, scales + halfOffset(lane), block.d);
        if (format.offset()) {
            memory.set(SHORT, scales + 64 + halfOffset(lane), block.b);
        }
        long bytes = piece + format.integers() + lane;
        for (int i = 0; i < format.integerScales(); i++, bytes += 32) {
            memory.set(JAVA_BYTE, bytes, (byte) block.scales[i]);
        }
        for (int i = 0; i < format.integerMins(); i++, bytes += 32) {
            memory.set(JAVA_BYTE, bytes, (byte) block.mins[i]);
        }
        int low = format.lowBits();
        if (low == 8) {
            for (int k = 0; k < 32; k++) {
                memory.set(JAVA_BYTE, piece + format.lowPlane() + 32L * k + lane, (byte) block.codes[k]);
            }
            return;
        }
        writePlane(block.codes, 0, low, memory, piece + format.lowPlane() + 4L * lane);
        writePlane(block.codes, low, format.highBits(), memory, piece + format.highPlane() + 4L * lane);
    }

    /** Bits {@code [shift, shift + bits)} of the codes. */
    private static void writePlane(int[] codes, int shift, int bits, MemorySegment memory, long at) {
        int mask = (1 << bits) - 1;
        int k = 0;
        for (int word = 0; word < bits; word++) {
            int value = 0;
            for (int low = 0; low < 4; low += bits) {
                for (int j = 0; j < 32; j += 4) {
                    value |= ((codes[k] >> shift) & mask) << (j + low);
                    k++;
                }
            }
            memory.set(INT, at + 128L * word, value);
        }
    }

    /** Reads what {@link #write} wrote. */
    public static void read(MemorySegment memory, long scales, long piece, int lane, WeightBlock to) {
        PackedFormat format = to.format;
        to.d = memory.get(SHORT, scales + halfOffset(lane));
        to.b = format.offset() ? memory.get(SHORT, scales + 64 + halfOffset(lane)) : 0;
        long bytes = piece + format.integers() + lane;
        readIntegers(memory, bytes, format.integerScales(), to.scales);
        readIntegers(memory, bytes + 32L * format.integerScales(), format.integerMins(), to.mins);
        int low = format.lowBits();
        if (low == 8) {
            for (int k = 0; k < 32; k++) {
                to.codes[k] = memory.get(JAVA_BYTE, piece + format.lowPlane() + 32L * k + lane);
            }
            return;
        }
        Arrays.fill(to.codes, 0);
        readPlane(memory, piece + format.lowPlane() + 4L * lane, 0, low, to.codes);
        readPlane(memory, piece + format.highPlane() + 4L * lane, low, format.highBits(), to.codes);
    }

    /** Adds bits {@code [shift, shift + bits)} to the codes. */
    private static void readPlane(MemorySegment memory, long at, int shift, int bits, int[] codes) {
        int mask = (1 << bits) - 1;
        int k = 0;
        for (int word = 0; word < bits; word++) {
            int value = memory.get(INT, at + 128L * word);
            for (int low = 0; low < 4; low += bits) {
                for (int j = 0; j < 32; j += 4) {
                    codes[k] |= (value >>> (j + low) & mask) << shift;
                    k++;
                }
            }
        }
    }

    private static void readIntegers(MemorySegment memory, long at, int count, int[] to) {
        for (int half = 0; half < 2; half++) {
            to[half] = count == 0 ? 1 : memory.get(JAVA_BYTE, at + (count == 2 ? 32L * half : 0));
        }
    }

    /** Byte offset of a row among the 32 halves of a group: row i and row i + 16 share an int. */
    public static long halfOffset(int lane) {
        return 4L * (lane % 16) + 2L * (lane / 16);
    }
}
