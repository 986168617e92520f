package dev.troupe.sampling;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.LogitScaling;

/**
 * A draw as one rank needs to know it before it has seen its logits. Does not change with the sampler's state that it was made of.
 *
 * @param draw what is drawn
 * @param firstId id of the first own vocabulary row, a multiple of the vocabulary span
 * @param scaling of own logits
 */
public record RowDraw(TokenDraw draw, int firstId, LogitScaling scaling) {
    /**
     * The next token's draw.
     *
     * @param state the fold over all tokens before the one to draw
     * @param choice index among the choices of the generation
     * @param firstId id of the first own vocabulary row, a multiple of the vocabulary span
     * @param ids own vocabulary rows; a rank may own none
     */
    public static RowDraw of(SamplerState state, int choice, int firstId, int ids) {
        return new RowDraw(
                new TokenDraw(state.parameters(), choice, state.length()), firstId, state.scaling(firstId, ids));
    }

    /** What to ask of the row where it is not on the host: more candidates than {@link TokenDraw#firstLimit()}, which may save a round. */
    public CandidateQuery query() {
        SamplingParameters parameters = draw.parameters();
        int top = parameters.wantsLogprobs() ? parameters.topLogprobs() : -1;
        if (parameters.isGreedy()) {
            return new CandidateQuery(scaling, null, 1, false, top, -1);
        }
        if (!parameters.hasFilters()) {
            CandidateQuery.Noise noise = new CandidateQuery.Noise(parameters.seed(), draw.choice(), draw.position());
            return new CandidateQuery(scaling, noise, 1, false, top, -1);
        }
        int limit = draw.mostCandidates(CandidateQuery.MOST);
        return new CandidateQuery(scaling, null, limit, draw.needsDenominator(), top, -1);
    }
}
