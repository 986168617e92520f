package dev.troupe.sampling;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import org.jspecify.annotations.Nullable;

/**
 * What one rank's vocabulary rows contribute to the draw of a token: enough for rank 0 to draw, too little to carry a
 * whole row. Without top-k, top-p and min-p that is the rank's one winner; with them, its first candidates in the order
 * of sampling (scores descending, equal ones by id).
 *
 * @param ids candidates; empty only for a rank without rows or with a value that is not finite
 * @param scores what they are compared by, {@code [1, ids]}: the adjusted logit (greedy), adjusted logit / temperature
 *     + noise (no filter) or adjusted logit / temperature (top-k, top-p, min-p)
 * @param logits the model's own, {@code [1, ids]}
 * @param complete whether no other token of the rank can matter; if not, rank 0 may have to ask for more
 * @param spans of all rows' logit / temperature, where top-p needs its denominator, else null
 * @param top for log-probabilities, else null
 * @param finite whether all the rank's values are; if not, nothing may be drawn
 */
public record RankCandidates(
        Ints ids,
        Floats scores,
        Floats logits,
        boolean complete,
        @Nullable SpanSums spans,
        @Nullable TopLogits top,
        boolean finite) {
    public RankCandidates {
        requireRow("scores", scores, ids.size());
        requireRow("logits", logits, ids.size());
        if (ids.isEmpty() && !complete) {
            throw new IllegalArgumentException("no candidates, yet not complete");
        }
    }

    /** What a rank says that has met a value that is not finite. */
    static RankCandidates notFinite() {
        Floats none = new Floats(1, 0, new float[0]);
        return new RankCandidates(Ints.of(), none, none, true, null, null, false);
    }

    static void requireRow(String name, Floats values, int columns) {
        if (values.rows() != 1 || values.columns() != columns) {
            throw new IllegalArgumentException("%s=%s, expected [1, %d]".formatted(name, values, columns));
        }
    }
}
