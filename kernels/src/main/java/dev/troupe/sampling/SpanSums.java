package dev.troupe.sampling;

import dev.troupe.kernel.ExactMath;
import dev.troupe.model.Partition;
import dev.troupe.tensor.Floats;
import java.util.Arrays;

/**
 * A rank's part of a softmax denominator: of every vocabulary span it owns the maximum and the sum of
 * {@code exp(value − maximum)} (NUMERICS rule 9). Spans are the unit, not ranks, so the merged denominator does not
 * depend on who owns which.
 *
 * @param firstSpan span of the first row: its first id divided by {@link Partition#VOCABULARY_SPAN}
 * @param maximumAndSum {@code [spans, 2]}
 */
public record SpanSums(int firstSpan, Floats maximumAndSum) {
    private static final int LANES = 32;

    public SpanSums {
        if (firstSpan < 0 || maximumAndSum.columns() != 2) {
            throw new IllegalArgumentException(
                    "firstSpan=%d with %s, expected columns=2".formatted(firstSpan, maximumAndSum));
        }
    }

    /**
     * The sums of finite {@code values} that belong to ids from {@code firstId}.
     *
     * @throws IllegalArgumentException if {@code firstId} is not the first id of a span
     */
    static SpanSums of(int firstId, float[] values) {
        if (firstId % Partition.VOCABULARY_SPAN != 0 && values.length != 0) {
            throw new IllegalArgumentException(
                    "firstId=%d, expected a multiple of %d".formatted(firstId, Partition.VOCABULARY_SPAN));
        }
        int spans = Math.ceilDiv(values.length, Partition.VOCABULARY_SPAN);
        float[] pairs = new float[2 * spans];
        float[] lanes = new float[LANES];
        for (int span = 0; span < spans; span++) {
            int from = span * Partition.VOCABULARY_SPAN;
            int to = Math.min(values.length, from + Partition.VOCABULARY_SPAN);
            float maximum = values[from];
            for (int i = from + 1; i < to; i++) {
                maximum = Math.max(maximum, values[i]);
            }
            pairs[2 * span] = maximum;
            pairs[2 * span + 1] = sum(values, from, to, maximum, lanes);
        }
        return new SpanSums(firstId / Partition.VOCABULARY_SPAN, new Floats(spans, 2, pairs));
    }

    /** NUMERICS rule 5: 32 strided accumulators, then a tree over them. */
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

    int spans() {
        return maximumAndSum.rows();
    }
}
