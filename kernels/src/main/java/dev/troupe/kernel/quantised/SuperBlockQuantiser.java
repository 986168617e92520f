package dev.troupe.kernel.quantised;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Rounds 256 values to a q4_k super-block with the arithmetic of ggml's {@code quantize_row_q4_K_ref}. For each of the eight
 * sub-blocks it tries 22 step sizes, solves each for the scale and the minimum with the least weighted squares (weights
 * {@code √(mean x²) + |x|}), and keeps the best; then scales and minima are rounded to six bits of the largest, and all
 * values again to what these stand for. Scratch memory: one for a thread.
 */
final class SuperBlockQuantiser {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int SUB_BLOCKS = 8;
    private static final int SIZE = 32;
    private static final int STEPS = 21;

    /** Adding it rounds to an integer, halves to even, which the lower bits of the sum then are. */
    private static final float ROUNDER = 0x1.8p23f;

    /** Sums of squares stay finite below it, and scales do not fit f16 from far below on. */
    private static final float TOO_LARGE = 0x1p30f;

    private final float[] weights = new float[SIZE];
    private final byte[] codes = new byte[SUB_BLOCKS * SIZE];
    private final byte[] trial = new byte[SIZE];
    private final float[] scales = new float[SUB_BLOCKS];
    private final float[] minima = new float[SUB_BLOCKS];
    private final int[] scaleCodes = new int[SUB_BLOCKS];
    private final int[] minimumCodes = new int[SUB_BLOCKS];

    /**
     * Rounds values {@code [from, from + 256)} of a row.
     *
     * @param largest the value of largest magnitude among them, finite
     * @return whether both float scales are numbers as f16
     */
    boolean round(float[] row, int from, float largest, MemorySegment to, long at) {
        if (Math.abs(largest) >= TOO_LARGE) {
            return false;
        }
        float maxScale = 0;
        float maxMinimum = 0;
        for (int s = 0; s < SUB_BLOCKS; s++) {
            weigh(row, from + SIZE * s);
            fit(row, from + SIZE * s, s);
            maxScale = scales[s] > maxScale ? scales[s] : maxScale;
            maxMinimum = minima[s] > maxMinimum ? minima[s] : maxMinimum;
        }
        short d = Float.floatToFloat16(maxScale / 63);
        short dMin = Float.floatToFloat16(maxMinimum / 63);
        sixBits(scales, maxScale, scaleCodes);
        sixBits(minima, maxMinimum, minimumCodes);
        for (int s = 0; s < SUB_BLOCKS; s++) {
            float scale = Float.float16ToFloat(d) * scaleCodes[s];
            if (scale != 0) {
                recode(row, from + SIZE * s, SIZE * s, scale, Float.float16ToFloat(dMin) * minimumCodes[s]);
            }
        }
        to.set(SHORT, at, d);
        to.set(SHORT, at + 2, dMin);
        storeScales(to, at + 4);
        storeCodes(to, at + 16);
        return BlockQuantiser.isHeld(d) && BlockQuantiser.isHeld(dMin);
    }

    private void weigh(float[] x, int from) {
        float squares = 0;
        for (int i = 0; i < SIZE; i++) {
            squares += x[from + i] * x[from + i];
        }
        float mean = (float) Math.sqrt(squares / SIZE);
        for (int i = 0; i < SIZE; i++) {
            weights[i] = mean + Math.abs(x[from + i]);
        }
    }

    /** Finds codes, scale and minimum of sub-block {@code s}; the minimum is kept negated. */
    private void fit(float[] x, int from, int s) {
        int at = SIZE * s;
        float least = x[from];
        float most = x[from];
        float sumW = weights[0];
        float sumX = sumW * x[from];
        for (int i = 1; i < SIZE; i++) {
            float value = x[from + i];
            least = value < least ? value : least;
            most = value > most ? value : most;
            sumW += weights[i];
            sumX += weights[i] * value;
        }
        least = least > 0 ? 0 : least;
        if (most == least) {
            Arrays.fill(codes, at, at + SIZE, (byte) 0);
            scales[s] = 0;
            minima[s] = -least;
            return;
        }
        float inverse = 15 / (most - least);
        float scale = 1 / inverse;
        code(x, from, least, inverse, codes, at);
        float best = error(x, from, codes, at, scale, least);
        for (int step = 0; step < STEPS; step++) {
            inverse = (-1f + 0.1f * step + 15) / (most - least);
            code(x, from, least, inverse, trial, 0);
            float sumL = 0;
            float sumLl = 0;
            float sumLx = 0;
            for (int i = 0; i < SIZE; i++) {
                float weighted = weights[i] * trial[i];
                sumL += weighted;
                sumLl += weighted * trial[i];
                sumLx += weighted * x[from + i];
            }
            float determinant = sumW * sumLl - sumL * sumL;
            if (determinant > 0) {
                float newScale = (sumW * sumLx - sumX * sumL) / determinant;
                float newLeast = (sumLl * sumX - sumL * sumLx) / determinant;
                if (newLeast > 0) {
                    newLeast = 0;
                    newScale = sumLx / sumLl;
                }
                float error = error(x, from, trial, 0, newScale, newLeast);
                if (error < best) {
                    System.arraycopy(trial, 0, codes, at, SIZE);
                    best = error;
                    scale = newScale;
                    least = newLeast;
                }
            }
        }
        scales[s] = scale;
        minima[s] = -least;
    }

    /** What 32 values are in steps above {@code least}, 0 to 15. */
    private static void code(float[] x, int from, float least, float inverse, byte[] to, int at) {
        for (int i = 0; i < SIZE; i++) {
            to[at + i] = fourBits(inverse * (x[from + i] - least));
        }
    }

    private float error(float[] x, int from, byte[] of, int at, float scale, float least) {
        float error = 0;
        for (int i = 0; i < SIZE; i++) {
            float off = scale * of[at + i] + least - x[from + i];
            error += weights[i] * (off * off);
        }
        return error;
    }

    private void recode(float[] x, int from, int at, float scale, float minimum) {
        for (int i = 0; i < SIZE; i++) {
            codes[at + i] = fourBits((x[from + i] + minimum) / scale);
        }
    }

    private static byte fourBits(float value) {
        return (byte) Math.max(0, Math.min(15, nearest(value)));
    }

    /** In units of a 63rd of {@code largest}. */
    private static void sixBits(float[] values, float largest, int[] to) {
        float inverse = largest > 0 ? 63 / largest : 0;
        for (int s = 0; s < SUB_BLOCKS; s++) {
            to[s] = Math.min(63, nearest(inverse * values[s]) & 0xff);
        }
    }

    /** The nearest integer, halves to even, of a magnitude below 2^22; 0 if it is not a number. */
    private static int nearest(float value) {
        return (Float.floatToRawIntBits(value + ROUNDER) & 0x7fffff) - 0x400000;
    }

    private void storeScales(MemorySegment to, long at) {
        for (int s = 0; s < 4; s++) {
            int high = s + 4;
            to.set(JAVA_BYTE, at + s, (byte) (scaleCodes[s] | scaleCodes[high] >> 4 << 6));
            to.set(JAVA_BYTE, at + high, (byte) (minimumCodes[s] | minimumCodes[high] >> 4 << 6));
            to.set(JAVA_BYTE, at + 8 + s, (byte) ((scaleCodes[high] & 15) | (minimumCodes[high] & 15) << 4));
        }
    }

    private void storeCodes(MemorySegment to, long at) {
        for (int i = 0; i < codes.length / 2; i++) {
            int low = i / SIZE * 2 * SIZE + i % SIZE;
            to.set(JAVA_BYTE, at + i, (byte) (codes[low] | codes[low + SIZE] << 4));
        }
    }
}
