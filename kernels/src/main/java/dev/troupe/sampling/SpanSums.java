package dev.troupe.sampling;

import dev.troupe.kernel.SpanExponentials;
import dev.troupe.model.Partition;
import dev.troupe.tensor.Floats;

/**
 * A rank's part of a softmax denominator: of every vocabulary span it owns the maximum and the sum of
 * {@code exp(value − maximum)} (NUMERICS rule 9). Spans are the unit, not ranks, so the merged denominator does not
 * depend on who owns which.
 *
 * @param firstSpan span of the first row: its first id divided by {@link Partition#VOCABULARY_SPAN}
 * @param maximumAndSum {@code [spans, 2]}
 */
public record SpanSums(int firstSpan, Floats maximumAndSum) {
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
        float[] pairs = SpanExponentials.of(values, Partition.VOCABULARY_SPAN);
        return new SpanSums(firstId / Partition.VOCABULARY_SPAN, new Floats(pairs.length / 2, 2, pairs));
    }

    int spans() {
        return maximumAndSum.rows();
    }
}
