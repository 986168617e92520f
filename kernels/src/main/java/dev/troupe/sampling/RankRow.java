package dev.troupe.sampling;

import dev.troupe.kernel.LogitScaling;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import org.jspecify.annotations.Nullable;

/**
 * One rank's vocabulary rows of one wanted token, after penalties and bias. The rank keeps it until the step retires,
 * because rank 0 may ask for more candidates; the answers depend on nothing else.
 */
public final class RankRow implements CandidateRow {
    private final TokenDraw draw;
    private final int firstId;
    /** The model's own logits are row {@code row} of it, which is not copied: half a megabyte for every token. */
    private final Floats logits;

    private final int row;
    /** After penalties, bias, (not for greedy) temperature and the guide; null where these change nothing. */
    private final float @Nullable [] scaled;

    private final boolean finite;
    private final float largest;
    /** The first own row with the largest score; -1 without rows. */
    private final int best;

    /**
     * @param logits {@code [any, own vocabulary rows]}; a rank may own none
     * @param row which row of them
     * @param firstId id of the first own vocabulary row, a multiple of the vocabulary span
     * @param state the fold over all tokens before the one to draw
     * @param choice index among the choices of the generation
     */
    public RankRow(Floats logits, int row, int firstId, SamplerState state, int choice) {
        this(logits, row, RowDraw.of(state, choice, firstId, logits.columns()));
    }

    /**
     * @param logits {@code [any, own vocabulary rows]}; a rank may own none
     * @param row which row of them
     * @param of what is drawn, from so many own rows
     */
    public RankRow(Floats logits, int row, RowDraw of) {
        this.draw = of.draw();
        this.firstId = of.firstId();
        this.logits = logits;
        this.row = row;
        this.scaled = scaled(of.scaling());
        this.finite = allFinite();
        float most = Float.NEGATIVE_INFINITY;
        int first = -1;
        for (int i = 0; i < logits.columns(); i++) {
            float value = score(i);
            // Not Math.max, which waits for itself: a hundred thousand times.
            if (value > most) {
                most = value;
                first = i;
            }
        }
        this.largest = most;
        this.best = first;
    }

    private boolean allFinite() {
        boolean all = true;
        for (int i = 0; i < logits.columns(); i++) {
            all &= Float.isFinite(logits.get(row, i));
        }
        for (int i = 0; scaled != null && i < scaled.length; i++) {
            all &= Float.isFinite(scaled[i]);
        }
        return all;
    }

    /** What own row i is compared by, without noise. */
    private float score(int i) {
        return scaled == null ? logits.get(row, i) : scaled[i];
    }

    private float @Nullable [] scaled(LogitScaling scaling) {
        if (scaling.changesNothing()) {
            return null;
        }
        float[] values = logits.row(row);
        scaling.apply(firstId, values);
        return values;
    }

    @Override
    public TokenDraw draw() {
        return draw;
    }

    @Override
    public RankCandidates candidates(int limit) {
        if (!finite) {
            return RankCandidates.notFinite();
        }
        SamplingParameters parameters = draw.parameters();
        TopLogits top =
                parameters.wantsLogprobs() ? TopLogits.of(logits, row, firstId, parameters.topLogprobs()) : null;
        if (parameters.isGreedy()) {
            long[] winner = best < 0 ? new long[0] : new long[] {Ranking.pair(score(best), firstId + best)};
            return answer(winner, true, null, top);
        }
        return parameters.hasFilters() ? first(limit, top) : noisyWinner(top);
    }

    private RankCandidates noisyWinner(@Nullable TopLogits top) {
        Ranking ranking = new Ranking(1);
        Noise noise = draw.noise();
        float least = Noise.leastThatCanWin(largest);
        for (int i = 0; i < logits.columns(); i++) {
            if (score(i) >= least) {
                ranking.add(score(i) + noise.of(firstId + i), firstId + i);
            }
        }
        return answer(ranking.sorted(), true, null, top);
    }

    private RankCandidates first(int limit, @Nullable TopLogits top) {
        int most = draw.mostCandidates(limit);
        Ranking ranking = new Ranking(most);
        float least = Noise.leastThatCanWin(largest);
        for (int i = 0; i < logits.columns(); i++) {
            if (score(i) >= least) {
                ranking.add(score(i), firstId + i);
            }
        }
        boolean complete = ranking.holdsAll() || most == draw.parameters().topK();
        return answer(
                ranking.sorted(),
                complete,
                draw.needsDenominator() ? SpanSums.of(firstId, scaled == null ? logits.row(row) : scaled) : null,
                top);
    }

    private RankCandidates answer(long[] pairs, boolean complete, @Nullable SpanSums spans, @Nullable TopLogits top) {
        int[] ids = new int[pairs.length];
        float[] scores = new float[pairs.length];
        float[] own = new float[pairs.length];
        for (int i = 0; i < pairs.length; i++) {
            ids[i] = Ranking.id(pairs[i]);
            scores[i] = Ranking.value(pairs[i]);
            own[i] = logits.get(row, ids[i] - firstId);
        }
        return new RankCandidates(Ints.of(ids), row(scores), row(own), complete, spans, top, true);
    }

    private static Floats row(float[] values) {
        return new Floats(1, values.length, values);
    }
}
