package dev.troupe.kernel.check;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.FoundCandidates;
import dev.troupe.kernel.LogitScaling;
import dev.troupe.kernel.RowSearch;
import dev.troupe.kernel.SpanExponentials;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Tensor;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The check of searches for candidates on a device, without noise. */
final class SearchChecks {
    private static final int SPAN = 256;
    private static final int FIRST_ID = 2 * SPAN;

    private SearchChecks() {}

    /** Vocabularies of one tile of a search and of several; values with ties, all of them near enough to be drawn. */
    static void candidates(Cases cases) {
        RowSearch search = Objects.requireNonNull(cases.tested().rowSearch());
        for (int ids : new int[] {1, 33, 700, 4_500}) {
            LogitScaling scaling = new LogitScaling(adjusted(ids), 1.25f, 0.5f, 0.25f, 0.75f, null);
            LogitScaling hot = new LogitScaling(Ints.of(), 1, 0, 0, 1.5f, null);
            List<CandidateQuery> queries = List.of(
                    new CandidateQuery(LogitScaling.NONE, null, 1, false, -1, FIRST_ID),
                    new CandidateQuery(scaling, null, 1, false, 5, FIRST_ID + ids - 1),
                    new CandidateQuery(scaling, null, 40, true, 0, -1),
                    new CandidateQuery(hot, null, 300, true, -1, -1));
            Tensor host = Tensor.floats(cases.arena(), queries.size(), ids);
            for (int row = 0; row < host.rows(); row++) {
                for (int i = 0; i < ids; i++) {
                    host.set(row, i, 0.5f * cases.random().nextInt(-10, 11));
                }
            }
            List<FoundCandidates> found = search.candidates(cases.twin(host).tested(), FIRST_ID, queries);
            for (int row = 0; row < host.rows(); row++) {
                String what = "query %d of %d ids".formatted(row, ids);
                compare(cases, what, host.copyRows(row, row + 1).toArray(), queries.get(row), found.get(row));
            }
        }
    }

    /** Two ids, one of them seen twice, the other one favoured; of a vocabulary of one id that one alone. */
    private static Ints adjusted(int ids) {
        int bias = Float.floatToRawIntBits(1.75f);
        return ids == 1
                ? Ints.of(FIRST_ID, 2, LogitScaling.SEEN, 0)
                : Ints.of(FIRST_ID, 2, LogitScaling.SEEN, 0, FIRST_ID + ids - 1, 0, LogitScaling.BIASED, bias);
    }

    private static void compare(Cases cases, String what, float[] logits, CandidateQuery query, FoundCandidates found) {
        float[] scaled = logits.clone();
        query.scaling().apply(FIRST_ID, scaled);
        order(cases, what, scaled, logits, query.limit(), found.candidates());
        if (query.spans()) {
            sums(cases, what + ", sums", scaled, found.spans());
        }
        if (query.top() >= 0) {
            order(cases, what + ", logits", logits, logits, query.top(), found.top());
            sums(cases, what + ", sums of logits", logits, found.logitSpans());
        }
        if (query.token() >= 0) {
            float[] wanted = {logits[query.token() - FIRST_ID]};
            cases.compare(what + ", one id", wanted, new float[] {found.tokenLogit()});
        }
    }

    /** The first of the order of sampling: scores descending, equal ones by id; a zero is +0 in scores. */
    private static void order(
            Cases cases, String what, float[] scores, float[] logits, int limit, FoundCandidates.Candidates found) {
        int[] first = IntStream.range(0, scores.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -(scores[i] + 0f))
                        .thenComparingInt(i -> i))
                .limit(limit)
                .mapToInt(i -> i)
                .toArray();
        int[] ids = IntStream.of(first).map(i -> FIRST_ID + i).toArray();
        float[] ordered = new float[first.length];
        float[] own = new float[first.length];
        for (int i = 0; i < first.length; i++) {
            ordered[i] = scores[first[i]] + 0f;
            own[i] = logits[first[i]];
        }
        cases.compare(what, ids, found.ids().toArray());
        cases.compare(what + ", scores", ordered, found.scores().toArray());
        cases.compare(what + ", their logits", own, found.logits().toArray());
    }

    private static void sums(Cases cases, String what, float[] values, @Nullable Floats found) {
        cases.compare(what, SpanExponentials.of(values, SPAN), found == null ? new float[0] : found.toArray());
    }
}
