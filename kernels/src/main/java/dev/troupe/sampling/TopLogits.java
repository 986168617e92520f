package dev.troupe.sampling;

import dev.troupe.kernel.FoundCandidates;
import dev.troupe.model.Partition;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

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

    /**
     * What one row has.
     *
     * @param logits {@code [any, own vocabulary rows]}
     * @param row which row of them
     * @param firstId id of the first own vocabulary row, a multiple of the vocabulary span
     * @param count tokens to report
     */
    static TopLogits of(Floats logits, int row, int firstId, int count) {
        int[] ids = new int[0];
        float[] values = new float[0];
        if (count > 0) {
            Ranking ranking = new Ranking(count);
            for (int i = 0; i < logits.columns(); i++) {
                ranking.add(logits.get(row, i), firstId + i);
            }
            long[] pairs = ranking.sorted();
            ids = new int[pairs.length];
            values = new float[pairs.length];
            for (int i = 0; i < pairs.length; i++) {
                ids[i] = Ranking.id(pairs[i]);
                values[i] = logits.get(row, ids[i] - firstId);
            }
        }
        return new TopLogits(Ints.of(ids), new Floats(1, values.length, values), SpanSums.of(firstId, logits.row(row)));
    }

    /**
     * What was found in a row that starts with {@code firstId}; null where log-probabilities were not asked for.
     */
    static @Nullable TopLogits of(FoundCandidates found, int firstId) {
        return found.logitSpans() == null
                ? null
                : new TopLogits(
                        found.top().ids(),
                        found.top().logits(),
                        new SpanSums(firstId / Partition.VOCABULARY_SPAN, found.logitSpans()));
    }

    /**
     * A token with its log-probability and the most probable ones.
     *
     * @param token whose; its logit does not count where it is negative
     * @param byRank in the order of the ranks
     * @param count most probable tokens to report
     */
    static TokenDraw.Token report(int token, float logit, List<TopLogits> byRank, int count) {
        Denominator model =
                Denominator.merge(byRank.stream().map(TopLogits::spans).toList());
        Ranking ranking = new Ranking(Math.max(1, count));
        for (TopLogits top : byRank) {
            for (int i = 0; i < top.ids().size(); i++) {
                ranking.add(top.logits().get(0, i), top.ids().get(i));
            }
        }
        List<Logprob> best = new ArrayList<>();
        for (long pair : ranking.sorted()) {
            best.add(new Logprob(Ranking.id(pair), model.logProbability(Ranking.value(pair))));
        }
        return new TokenDraw.Token(token, logit, token < 0 ? Float.NaN : model.logProbability(logit), best);
    }
}
