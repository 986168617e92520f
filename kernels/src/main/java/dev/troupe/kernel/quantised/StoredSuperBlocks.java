package dev.troupe.kernel.quantised;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Reading of an eighth of a stored super-block of 256 columns. */
final class StoredSuperBlocks {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Turns the sign of an f16. */
    private static final int SIGN = 0x8000;

    private StoredSuperBlocks() {}

    /**
     * @param at byte of the row where the super-block starts
     * @param j which 32 of its columns, 0 to 7
     */
    static void read(MemorySegment row, long at, int j, WeightBlock to) {
        switch (to.format) {
            case Q2_K -> q2(row, at, j, to);
            case Q3_K -> q3(row, at, j, to);
            case Q4_K -> q4(row, at, j, to);
            case Q5_K -> q5(row, at, j, to);
            case Q6_K -> q6(row, at, j, to);
            case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4 ->
                throw new IllegalArgumentException(
                        "%s has no super-blocks".formatted(to.format.type().label()));
        }
    }

    private static void q2(MemorySegment row, long at, int j, WeightBlock to) {
        to.d = row.get(SHORT, at + 80);
        to.b = (short) (row.get(SHORT, at + 82) ^ SIGN);
        for (int half = 0; half < 2; half++) {
            int pair = row.get(JAVA_BYTE, at + 2L * j + half);
            to.scales[half] = pair & 15;
            to.mins[half] = (pair >> 4) & 15;
        }
        pairs(row, at + 16, j, to.codes);
    }

    private static void q3(MemorySegment row, long at, int j, WeightBlock to) {
        to.d = row.get(SHORT, at + 108);
        for (int half = 0; half < 2; half++) {
            int s = 2 * j + half;
            int low = (row.get(JAVA_BYTE, at + 96 + s % 8) >> (s < 8 ? 0 : 4)) & 15;
            int high = (row.get(JAVA_BYTE, at + 104 + s % 4) >> (2 * (s / 4))) & 3;
            to.scales[half] = (low | (high << 4)) - 32;
        }
        pairs(row, at + 32, j, to.codes);
        for (int i = 0; i < 32; i++) {
            to.codes[i] |= ((row.get(JAVA_BYTE, at + i) >> j) & 1) << 2;
        }
    }

    /** Two bits a column. */
    private static void pairs(MemorySegment row, long at, int j, int[] codes) {
        long from = at + j / 4 * 32L;
        for (int i = 0; i < 32; i++) {
            codes[i] = (row.get(JAVA_BYTE, from + i) >> (2 * (j % 4))) & 3;
        }
    }

    private static void q4(MemorySegment row, long at, int j, WeightBlock to) {
        scalesAndMins(row, at, j, to);
        halves(row, at + 16 + j / 2 * 32L, j % 2, to.codes);
    }

    private static void q5(MemorySegment row, long at, int j, WeightBlock to) {
        scalesAndMins(row, at, j, to);
        halves(row, at + 48 + j / 2 * 32L, j % 2, to.codes);
        for (int i = 0; i < 32; i++) {
            to.codes[i] |= ((row.get(JAVA_BYTE, at + 16 + i) >> j) & 1) << 4;
        }
    }

    private static void scalesAndMins(MemorySegment row, long at, int j, WeightBlock to) {
        to.d = row.get(SHORT, at);
        to.b = (short) (row.get(SHORT, at + 2) ^ SIGN);
        long bytes = at + 4;
        int scale;
        int min;
        if (j < 4) {
            scale = row.get(JAVA_BYTE, bytes + j) & 63;
            min = row.get(JAVA_BYTE, bytes + j + 4) & 63;
        } else {
            int low = row.get(JAVA_BYTE, bytes + j + 4);
            scale = (low & 15) | (((row.get(JAVA_BYTE, bytes + j - 4) >> 6) & 3) << 4);
            min = ((low >> 4) & 15) | (((row.get(JAVA_BYTE, bytes + j) >> 6) & 3) << 4);
        }
        to.scales[0] = scale;
        to.scales[1] = scale;
        to.mins[0] = min;
        to.mins[1] = min;
    }

    private static void halves(MemorySegment row, long at, int half, int[] codes) {
        for (int i = 0; i < 32; i++) {
            codes[i] = (row.get(JAVA_BYTE, at + i) >> (4 * half)) & 15;
        }
    }

    private static void q6(MemorySegment row, long at, int j, WeightBlock to) {
        to.d = row.get(SHORT, at + 208);
        to.scales[0] = row.get(JAVA_BYTE, at + 192 + 2L * j);
        to.scales[1] = row.get(JAVA_BYTE, at + 193 + 2L * j);
        halves(row, at + j / 4 * 64L + j % 2 * 32L, j % 4 / 2, to.codes);
        long high = at + 128 + j / 4 * 32L;
        for (int i = 0; i < 32; i++) {
            to.codes[i] |= ((row.get(JAVA_BYTE, high + i) >> (2 * (j % 4))) & 3) << 4;
        }
    }
}
