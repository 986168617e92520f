package dev.troupe.sampling;

import dev.troupe.kernel.ExactMath;
import dev.troupe.tensor.Floats;
import java.util.List;

/**
 * The denominator of a softmax over the whole vocabulary: {@code Σ exp(value − maximum)}.
 *
 * @param maximum largest value
 * @param sum at least 1, up to rounding
 */
record Denominator(float maximum, float sum) {

    /**
     * All ranks' spans merged ascending, as the spans of attention are (NUMERICS rule 6).
     *
     * @param byRank in the order of the ranks
     * @throws IllegalArgumentException if the spans are not consecutive from 0, or there are none
     */
    static Denominator merge(List<SpanSums> byRank) {
        int next = 0;
        float m = 0;
        float l = 0;
        for (SpanSums part : byRank) {
            if (part.spans() != 0 && part.firstSpan() != next) {
                throw new IllegalArgumentException(
                        "vocabulary spans: %d follows %d; expected the ranks in order, each with its own spans"
                                .formatted(part.firstSpan(), next - 1));
            }
            Floats pairs = part.maximumAndSum();
            for (int span = 0; span < part.spans(); span++) {
                float m2 = pairs.get(span, 0);
                float l2 = pairs.get(span, 1);
                if (next++ == 0) {
                    m = m2;
                    l = l2;
                    continue;
                }
                float m1 = m;
                m = Math.max(m1, m2);
                l = Math.fma(l, ExactMath.exp(m1 - m), l2 * ExactMath.exp(m2 - m));
            }
        }
        if (next == 0) {
            throw new IllegalArgumentException(
                    "no vocabulary span in the candidates of %d ranks".formatted(byRank.size()));
        }
        return new Denominator(m, l);
    }

    /** {@code (value − maximum) − log(sum)}. */
    float logProbability(float value) {
        return (value - maximum) - ExactMath.log(sum);
    }
}
