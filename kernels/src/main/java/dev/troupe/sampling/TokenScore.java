package dev.troupe.sampling;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.FoundCandidates;
import dev.troupe.kernel.LogitScaling;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How probable a token was that a sequence has already: its log-probability by the model's own logits, and the most probable
 * tokens in its place. Like {@link TokenDraw} a pure function of the logits, whatever the split of the vocabulary.
 *
 * @param token the one that the sequence has there, or negative where there is none: then only the most probable ones are told
 * @param topLogprobs how many of the most probable tokens to report, at least 0
 */
public record TokenScore(int token, int topLogprobs) {
    public TokenScore {
        if (topLogprobs < 0 || topLogprobs > SamplingParameters.MAX_TOP_LOGPROBS) {
            throw new IllegalArgumentException(
                    "top_logprobs=%d, expected 0 to %d".formatted(topLogprobs, SamplingParameters.MAX_TOP_LOGPROBS));
        }
    }

    /**
     * What one rank's vocabulary rows contribute.
     *
     * @param logits {@code [any, own vocabulary rows]}; a rank may own none
     * @param row which row of them
     * @param firstId id of the first own vocabulary row, a multiple of the vocabulary span
     */
    public RankCandidates candidates(Floats logits, int row, int firstId) {
        for (int i = 0; i < logits.columns(); i++) {
            if (!Float.isFinite(logits.get(row, i))) {
                return RankCandidates.notFinite();
            }
        }
        boolean own = isAmong(firstId, logits.columns());
        return candidates(
                firstId,
                logits.columns(),
                own ? logits.get(row, token - firstId) : Float.NaN,
                TopLogits.of(logits, row, firstId, topLogprobs));
    }

    private boolean isAmong(int firstId, int ids) {
        return token >= firstId && token < firstId + ids;
    }

    private RankCandidates candidates(int firstId, int ids, float tokenLogit, @Nullable TopLogits top) {
        boolean own = isAmong(firstId, ids);
        float[] logit = own ? new float[] {tokenLogit} : new float[0];
        Floats values = new Floats(1, logit.length, logit);
        return new RankCandidates(own ? Ints.of(token) : Ints.of(), values, values, true, null, top, true);
    }

    /** What to ask of a row that is not on the host. */
    public CandidateQuery query() {
        return new CandidateQuery(LogitScaling.NONE, null, 0, false, topLogprobs, token);
    }

    /**
     * What one rank's vocabulary rows contribute that were asked {@link #query}.
     *
     * @param firstId id of the first own vocabulary row, a multiple of the vocabulary span
     * @param ids own vocabulary rows
     */
    public RankCandidates candidates(FoundCandidates found, int firstId, int ids) {
        return found.finite()
                ? candidates(firstId, ids, found.tokenLogit(), TopLogits.of(found, firstId))
                : RankCandidates.notFinite();
    }

    /**
     * The score; of no token its logit and log-probability are NaN.
     *
     * @param byRank what {@link #candidates} gave, in the order of the ranks
     * @throws IllegalArgumentException if no rank has the token
     */
    public TokenDraw.Outcome merge(List<RankCandidates> byRank) {
        if (!byRank.stream().allMatch(RankCandidates::finite)) {
            return new TokenDraw.NotFinite();
        }
        List<TopLogits> tops = byRank.stream()
                .map(rank -> TokenDraw.require(rank.top(), "logits for log-probabilities"))
                .toList();
        return TopLogits.report(token, token < 0 ? Float.NaN : logit(byRank), tops, topLogprobs);
    }

    private float logit(List<RankCandidates> byRank) {
        for (RankCandidates rank : byRank) {
            if (!rank.ids().isEmpty()) {
                return rank.logits().get(0, 0);
            }
        }
        throw new IllegalArgumentException("none of %d ranks has token %d".formatted(byRank.size(), token));
    }
}
