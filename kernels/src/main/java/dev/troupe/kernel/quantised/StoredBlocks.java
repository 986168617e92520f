package dev.troupe.kernel.quantised;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Reading of one row's blocks as a file stores them; the byte layouts stand at {@link dev.troupe.tensor.DType}. All types
 * are read 32 columns at a time, super-blocks of 256 in eighths.
 */
public final class StoredBlocks {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final byte[] IQ4_NL = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    private StoredBlocks() {}

    /**
     * Reads columns {@code 32 · index} to {@code 32 · index + 31} of a row.
     *
     * @param row the row's bytes
     * @param index which 32 columns
     * @param to gets the parts; its type is the row's
     */
    public static void read(MemorySegment row, int index, WeightBlock to) {
        read(row, 0, index, to);
    }

    /**
     * The same of a row among others.
     *
     * @param row where it begins in {@code rows}; no slice of its own, of which a model would need millions
     */
    public static void read(MemorySegment rows, long row, int index, WeightBlock to) {
        PackedFormat format = to.format;
        long perBlock = format.type().blockSize() / 32;
        long at = row + index / perBlock * format.type().blockBytes();
        switch (format) {
            case Q8_0 -> q8(rows, at, to);
            case Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL -> block32(rows, at, to);
            case MXFP4 -> mxfp4(rows, at, to);
            case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> StoredSuperBlocks.read(rows, at, (int) (index % perBlock), to);
        }
    }

    private static void q8(MemorySegment row, long at, WeightBlock to) {
        to.d = row.get(SHORT, at);
        for (int k = 0; k < 32; k++) {
            to.codes[k] = row.get(JAVA_BYTE, at + 2 + k);
        }
    }

    private static void block32(MemorySegment row, long at, WeightBlock to) {
        boolean offset = to.format.offset();
        to.d = row.get(SHORT, at);
        to.b = offset ? row.get(SHORT, at + 2) : 0;
        long bits = at + (offset ? 4 : 2);
        boolean fifth = to.format.highBits() == 1;
        halves(row, fifth ? bits + 4 : bits, to.codes);
        if (fifth) {
            int high = row.get(INT, bits);
            for (int k = 0; k < 32; k++) {
                to.codes[k] |= ((high >>> k) & 1) << 4;
            }
        } else if (to.format == PackedFormat.IQ4_NL) {
            for (int k = 0; k < 32; k++) {
                to.codes[k] = IQ4_NL[to.codes[k]];
            }
        }
    }

    /** e becomes the bf16 of 2^(e − 128), subnormal below 2; not a number for 255. */
    private static void mxfp4(MemorySegment row, long at, WeightBlock to) {
        int e = Byte.toUnsignedInt(row.get(JAVA_BYTE, at));
        int bits = e < 2 ? 0x20 << e : (e - 1) << 7;
        to.d = (short) (e == 255 ? 0x7fc0 : bits);
        halves(row, at + 1, to.codes);
    }

    /** Columns 0 to 15 in the low, 16 to 31 in the high halves of 16 bytes. */
    private static void halves(MemorySegment row, long at, int[] codes) {
        for (int i = 0; i < 16; i++) {
            int pair = row.get(JAVA_BYTE, at + i);
            codes[i] = pair & 15;
            codes[16 + i] = (pair >> 4) & 15;
        }
    }
}
