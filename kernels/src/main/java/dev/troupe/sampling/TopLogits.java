package dev.troupe.sampling;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;

/**
 * What a rank contributes to reported log-probabilities, all from the model's own logits, before penalties and
 * temperature.
 *
 * @param ids its most probable tokens, logits descending, equal ones by id; as many as the parameters ask for, or all
 * @param logits theirs, {@code [1, ids]}
 * @param spans of all its rows
 */
public record TopLogits(Ints ids, Floats logits, SpanSums spans) {
    public TopLogits {
        RankCandidates.requireRow("logits", logits, ids.size());
    }
}
