package dev.troupe.kernel;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What {@link RowSearch} found in a row. Where a value is not finite only {@link #finite} and {@link #finiteLogits} count.
 *
 * @param finiteLogits whether all logits are finite
 * @param finite whether the scaled ones are as well
 * @param candidates the first of the order of sampling: scores descending, equal ones by id
 * @param reachable how many scaled logits are so near to the largest that noise could lift them above it: as many as there are
 *     candidates, or more; of a query for several
 * @param spans of every span of 256 ids from the row's first the maximum of the scaled logits and the sum of
 *     {@code exp(x − maximum)}, {@code [spans, 2]}; null where not wanted
 * @param top the largest logits, in the order of sampling, compared by themselves
 * @param logitSpans the sums over the logits; null where not wanted
 * @param tokenLogit the logit of the wanted id, of no use where there was none
 */
public record FoundCandidates(
        boolean finiteLogits,
        boolean finite,
        Candidates candidates,
        int reachable,
        @Nullable Floats spans,
        Candidates top,
        @Nullable Floats logitSpans,
        float tokenLogit) {
    /**
     * Some ids of a row, in an order.
     *
     * @param scores what they were compared by, {@code [1, ids]}; a zero is +0
     * @param logits theirs, {@code [1, ids]}
     */
    public record Candidates(Ints ids, Floats scores, Floats logits) {
        /** None. */
        public static final Candidates NONE =
                new Candidates(Ints.of(), new Floats(1, 0, new float[0]), new Floats(1, 0, new float[0]));

        /** The first {@code count} of them, or all. */
        public Candidates first(int count) {
            if (count >= ids.size()) {
                return this;
            }
            return new Candidates(ids.slice(0, count), first(scores, count), first(logits, count));
        }

        private static Floats first(Floats row, int count) {
            return new Floats(1, count, Arrays.copyOf(row.row(0), count));
        }
    }

    /** What a row without columns has. */
    public static FoundCandidates ofNothing(CandidateQuery query) {
        Floats none = new Floats(0, 2, new float[0]);
        return new FoundCandidates(
                true,
                true,
                Candidates.NONE,
                0,
                query.spans() ? none : null,
                Candidates.NONE,
                query.top() < 0 ? null : none,
                Float.NaN);
    }
}
