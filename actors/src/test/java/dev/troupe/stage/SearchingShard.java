package dev.troupe.stage;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.FoundCandidates;
import dev.troupe.kernel.LogitScaling;
import dev.troupe.model.LogitSearch;
import dev.troupe.model.SearchedLogits;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.RowDraw;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.SpanSums;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.sampling.TopLogits;
import dev.troupe.tensor.Floats;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A share that searches its rows of logits by itself, as a device does, but finds only a few candidates: more have to be taken from the
 * row, which it gives after the step as well.
 */
final class SearchingShard extends HookedShard {
    private static final int FOUND = 5;

    SearchingShard(ShardCompute inner) {
        super(inner, () -> {});
    }

    @Override
    LogitSearch search(ShardStep step) {
        return (rows, queries) -> {
            Floats logits = step.logits(rows);
            return IntStream.range(0, rows.length)
                    .mapToObj(i -> searched(logits.slice(i, i + 1), queries.get(i)))
                    .toList();
        };
    }

    private SearchedLogits searched(Floats logits, CandidateQuery query) {
        RankCandidates first = row(logits, query, query.scaling()).candidates(Math.clamp(query.limit(), 1, FOUND));
        RankCandidates plain = row(logits, query, LogitScaling.NONE).candidates(1);
        TopLogits top = plain.top();
        SpanSums spans = first.spans();
        int token = query.token() - firstVocabularyRow();
        FoundCandidates found = new FoundCandidates(
                plain.finite(),
                first.finite(),
                new FoundCandidates.Candidates(first.ids(), first.scores(), first.logits()),
                first.complete() ? first.ids().size() : Integer.MAX_VALUE,
                spans == null || !query.spans() ? null : spans.maximumAndSum(),
                top == null
                        ? FoundCandidates.Candidates.NONE
                        : new FoundCandidates.Candidates(top.ids(), top.logits(), top.logits()),
                top == null ? null : top.spans().maximumAndSum(),
                token >= 0 && token < logits.columns() ? logits.get(0, token) : Float.NaN);
        return new SearchedLogits(found, () -> logits);
    }

    /** A draw on the host that asks for the same. */
    private RankRow row(Floats logits, CandidateQuery query, LogitScaling scaling) {
        CandidateQuery.Noise noise = query.noise();
        boolean several = query.limit() > 1;
        SamplingParameters parameters = new SamplingParameters(
                several || noise != null ? 1 : 0,
                0,
                several ? 0.5f : 1,
                0,
                1,
                0,
                0,
                Map.of(),
                noise == null ? 0 : noise.seed(),
                query.top());
        TokenDraw draw = noise == null
                ? new TokenDraw(parameters, 0, 0)
                : new TokenDraw(parameters, noise.choice(), noise.position());
        return new RankRow(logits, 0, new RowDraw(draw, firstVocabularyRow(), scaling));
    }
}
