package dev.troupe.kernel.reference;

import dev.troupe.kernel.ExactMath;
import dev.troupe.kernel.NumericsId;

/**
 * Activations rounded per block of 32 columns for block-quantised weights (NUMERICS rule 2):
 * {@code s = max|x| / 127}, {@code q = clamp(rint(x / s), −127, 127)}, zeros for s = 0.
 *
 * @param values integers q as floats, one a column
 * @param scales s, one a block
 */
@SuppressWarnings("ArrayRecordComponent") // never leaves this package
record RoundedActivations(float[] values, float[] scales) {
    private static final int BLOCK = NumericsId.BLOCK;

    static RoundedActivations of(float[] x) {
        float[] values = new float[x.length];
        float[] scales = new float[Math.ceilDiv(x.length, BLOCK)];
        for (int b = 0; b < scales.length; b++) {
            int from = b * BLOCK;
            int to = Math.min(x.length, from + BLOCK);
            float most = 0f;
            for (int k = from; k < to; k++) {
                most = Math.max(most, Math.abs(x[k]));
            }
            float s = most / 127f;
            scales[b] = s;
            for (int k = from; k < to && s != 0f; k++) {
                float rounded = (x[k] / s + ExactMath.ROUNDER) - ExactMath.ROUNDER;
                values[k] = Math.clamp(rounded, -127f, 127f);
            }
        }
        return new RoundedActivations(values, scales);
    }
}
