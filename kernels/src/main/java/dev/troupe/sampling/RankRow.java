package dev.troupe.sampling;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import org.jspecify.annotations.Nullable;

/**
 * One rank's vocabulary rows of one wanted token, after penalties and bias. The rank keeps it until the step retires,
 * because rank 0 may ask for more candidates; the answers depend on nothing else.
 */
public final class RankRow {
    private final TokenDraw draw;
    private final int firstId;
    /** The model's own logits. */
    private final float[] logits;
    /** After penalties, bias and (not for greedy) temperature; the same array where these change nothing. */
    private final float[] scaled;

    private final boolean finite;
    private final float largest;

    /**
     * @param logits {@code [any, own vocabulary rows]}; a rank may own none
     * @param row which row of them
     * @param firstId id of the first own vocabulary row, a multiple of the vocabulary span
     * @param state the fold over all tokens before the one to draw
     * @param choice index among the choices of the generation
     */
    public RankRow(Floats logits, int row, int firstId, SamplerState state, int choice) {
        this.draw = new TokenDraw(state.parameters(), choice, state.length());
        this.firstId = firstId;
        this.logits = logits.row(row);
        this.scaled = scaled(state);
        float most = Float.NEGATIVE_INFINITY;
        boolean allFinite = true;
        for (int i = 0; i < scaled.length; i++) {
            allFinite &= Float.isFinite(scaled[i]) && Float.isFinite(this.logits[i]);
            most = Math.max(most, scaled[i]);
        }
        this.finite = allFinite;
        this.largest = most;
    }

    private float[] scaled(SamplerState state) {
        float temperature = draw.parameters().temperature();
        boolean scales = !draw.parameters().isGreedy() && temperature != 1;
        if (!scales && !state.adjusts()) {
            return logits;
        }
        float[] values = logits.clone();
        state.adjust(firstId, values);
        if (scales) {
            for (int i = 0; i < values.length; i++) {
                values[i] = values[i] / temperature;
            }
        }
        return values;
    }

    /** What is drawn; rank 0 asks it to choose. */
    public TokenDraw draw() {
        return draw;
    }

    /**
     * What this rank contributes.
     *
     * @param limit most candidates to send where top-k, top-p or min-p needs several; {@link TokenDraw#firstLimit()}
     *     at first, then what {@link TokenDraw.More} says
     */
    public RankCandidates candidates(int limit) {
        if (!finite) {
            return RankCandidates.notFinite();
        }
        SamplingParameters parameters = draw.parameters();
        TopLogits top = parameters.wantsLogprobs() ? topLogits(parameters.topLogprobs()) : null;
        if (parameters.isGreedy()) {
            return winner(false, top);
        }
        return parameters.hasFilters() ? first(limit, top) : winner(true, top);
    }

    private RankCandidates winner(boolean noisy, @Nullable TopLogits top) {
        Ranking ranking = new Ranking(1);
        Noise noise = draw.noise();
        float least = noisy ? Noise.leastThatCanWin(largest) : largest;
        for (int i = 0; i < scaled.length; i++) {
            if (scaled[i] >= least) {
                ranking.add(noisy ? scaled[i] + noise.of(firstId + i) : scaled[i], firstId + i);
            }
        }
        return answer(ranking.sorted(), true, null, top);
    }

    private RankCandidates first(int limit, @Nullable TopLogits top) {
        SamplingParameters parameters = draw.parameters();
        int most = parameters.topK() > 0 ? Math.min(parameters.topK(), limit) : limit;
        Ranking ranking = new Ranking(most);
        float least = Noise.leastThatCanWin(largest);
        for (int i = 0; i < scaled.length; i++) {
            if (scaled[i] >= least) {
                ranking.add(scaled[i], firstId + i);
            }
        }
        boolean complete = ranking.holdsAll() || most == parameters.topK();
        return answer(ranking.sorted(), complete, draw.needsDenominator() ? SpanSums.of(firstId, scaled) : null, top);
    }

    private RankCandidates answer(long[] pairs, boolean complete, @Nullable SpanSums spans, @Nullable TopLogits top) {
        int[] ids = new int[pairs.length];
        float[] scores = new float[pairs.length];
        float[] own = new float[pairs.length];
        for (int i = 0; i < pairs.length; i++) {
            ids[i] = Ranking.id(pairs[i]);
            scores[i] = Ranking.value(pairs[i]);
            own[i] = logits[ids[i] - firstId];
        }
        return new RankCandidates(Ints.of(ids), row(scores), row(own), complete, spans, top, true);
    }

    private TopLogits topLogits(int count) {
        int[] ids = new int[0];
        float[] values = new float[0];
        if (count > 0) {
            Ranking ranking = new Ranking(count);
            for (int i = 0; i < logits.length; i++) {
                ranking.add(logits[i], firstId + i);
            }
            long[] pairs = ranking.sorted();
            ids = new int[pairs.length];
            values = new float[pairs.length];
            for (int i = 0; i < pairs.length; i++) {
                ids[i] = Ranking.id(pairs[i]);
                values[i] = logits[ids[i] - firstId];
            }
        }
        return new TopLogits(Ints.of(ids), row(values), SpanSums.of(firstId, logits));
    }

    private static Floats row(float[] values) {
        return new Floats(1, values.length, values);
    }
}
