package dev.troupe.stage;

import dev.troupe.sampling.RankCandidates;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a last-stage rank found in its own vocabulary rows, to rank 0.
 *
 * @param fromRank sender
 * @param round 0 unasked; then as the {@link CandidateRequest} that this answers
 * @param answers in round 0 one for every want of the batch, in its order; else one for every want that was asked
 *     for, in the request's order
 * @param failedTokens token rows for which this rank knows of a value that is not finite
 * @param deferred in round 0, wants whose guide this rank has not compiled yet, ascending
 */
public record Candidates(
        Epoch epoch, long step, int fromRank, int round, List<Answer> answers, Ints failedTokens, Ints deferred)
        implements TensorMessage {
    public Candidates {
        answers = List.copyOf(answers);
    }

    /**
     * One want's answer; both parts are null where the sequence has failed on this rank, its guide is missing, or rank 0 needs
     * nothing of it.
     *
     * @param candidates for a token
     * @param row own vocabulary rows {@code [1, rows]}, for a whole row
     */
    public record Answer(
            @Nullable RankCandidates candidates, @Nullable Floats row) {}
}
