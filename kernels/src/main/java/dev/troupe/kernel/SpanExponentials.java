package dev.troupe.kernel;

import java.util.Arrays;

/** Maxima and sums of exponentials of spans of a row, each span by itself (NUMERICS rules 5 and 9). */
public final class SpanExponentials {
    private static final int LANES = 32;

    private SpanExponentials() {}

    /**
     * For every span the maximum and the sum of {@code exp(value − maximum)}: 32 strided accumulators, then a tree over them.
     *
     * @param values finite
     * @param span values of a span; the last may have fewer
     * @return {@code [spans][2]}
     */
    public static float[] of(float[] values, int span) {
        int spans = Math.ceilDiv(values.length, span);
        float[] pairs = new float[2 * spans];
        float[] lanes = new float[LANES];
        for (int s = 0; s < spans; s++) {
            int from = s * span;
            int to = Math.min(values.length, from + span);
            float maximum = values[from];
            for (int i = from + 1; i < to; i++) {
                maximum = Math.max(maximum, values[i]);
            }
            pairs[2 * s] = maximum;
            pairs[2 * s + 1] = sum(values, from, to, maximum, lanes);
        }
        return pairs;
    }

    private static float sum(float[] values, int from, int to, float maximum, float[] lanes) {
        Arrays.fill(lanes, 0f);
        for (int i = from; i < to; i++) {
            lanes[(i - from) % LANES] += ExactMath.exp(values[i] - maximum);
        }
        for (int half = LANES / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; i++) {
                lanes[i] += lanes[i + half];
            }
        }
        return lanes[0];
    }
}
