package dev.troupe.stage;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.model.LogitSearch;
import dev.troupe.model.SearchedLogits;
import dev.troupe.model.ShardStep;
import dev.troupe.sampling.CandidateRow;
import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.RowDraw;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.SearchedRow;
import dev.troupe.sampling.TokenScore;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a last-stage rank has found in its own vocabulary rows for the wants of a step.
 *
 * @param answers one for every want, in order: what rank 0 gets
 * @param rows what more candidates can be taken from, by want
 * @param hidden states after the final norm and means of them {@code [1, hidden]}, by want
 * @param failed tokens of the batch that are known to have failed
 * @param deferred wants of tokens whose guide is not compiled yet
 */
record RankAnswers(
        List<Candidates.Answer> answers,
        Map<Integer, CandidateRow> rows,
        Map<Integer, Floats> hidden,
        BitSet failed,
        BitSet deferred) {
    private static final Candidates.Answer NOTHING = new Candidates.Answer(null, null);

    /**
     * Rows of logits in one array, which would otherwise have many megabytes and live for long. As many as a decoder computes at
     * once: fewer would read its output matrix more often.
     */
    private static final int ROWS_AT_ONCE = 16;

    private static final Set<Want.Kind> LOGITS = Set.of(Want.Kind.TOKEN, Want.Kind.ROW, Want.Kind.SCORE);

    /**
     * Computes what the wants of {@code step} ask for.
     *
     * @param own vocabulary rows of this rank
     * @param withHidden whether hidden states are wanted from this rank
     */
    static RankAnswers of(OpenStep step, VocabularyRows own, boolean withHidden) {
        ShardStep compute = step.compute();
        BitSet failed = step.failedTokens();
        BitSet deferred = deferred(step.wants(), failed);
        int[] hiddenRows = withHidden ? rows(step.wants(), failed, Set.of(Want.Kind.HIDDEN)) : new int[0];
        Floats hidden = hiddenRows.length == 0 ? null : compute.finalHidden(hiddenRows);
        Map<Integer, Floats> means = withHidden
                ? HiddenMean.fold(
                        compute,
                        step.summed(),
                        OpenStep.bits(Ints.of(rows(step.wants(), failed, Set.of(Want.Kind.MEAN)))))
                : Map.of();
        RankAnswers found =
                new RankAnswers(new ArrayList<>(), new HashMap<>(), new HashMap<>(), (BitSet) failed.clone(), deferred);
        LogitSearch search = compute.logitSearch();
        Set<Want.Kind> read = search == null ? LOGITS : Set.of(Want.Kind.ROW);
        LogitRows logits = new LogitRows(compute, rows(step.wants(), failed, read));
        Map<Integer, RankCandidates> searched =
                search == null ? Map.of() : found.search(search, step.wants(), failed, own);
        int nextHidden = 0;
        for (int w = 0; w < step.wants().size(); w++) {
            SequenceTable.WantedRow want = step.wants().get(w);
            Candidates.Answer answer = NOTHING;
            if (!failed.get(want.row())) {
                switch (want.kind()) {
                    case TOKEN, ROW, SCORE ->
                        answer = read.contains(want.kind())
                                ? found.fromLogits(w, want, logits, own)
                                : new Candidates.Answer(searched.get(w), null);
                    case HIDDEN -> {
                        if (hidden != null) {
                            Floats row = hidden.slice(nextHidden, ++nextHidden);
                            found.hidden.put(w, found.finite(row, want));
                        }
                    }
                    case MEAN -> {
                        Floats mean = means.get(want.row());
                        if (mean != null) {
                            found.hidden.put(w, found.finite(mean, want));
                        }
                    }
                }
            }
            found.answers.add(answer);
        }
        found.failed.or(step.failedTokens());
        return found;
    }

    /** Looked at once: a guide may come to be there at any time. */
    private static BitSet deferred(List<SequenceTable.WantedRow> wants, BitSet failed) {
        BitSet deferred = new BitSet();
        for (int w = 0; w < wants.size(); w++) {
            SequenceTable.WantedRow want = wants.get(w);
            if (want.kind() == Want.Kind.TOKEN && !failed.get(want.row())) {
                deferred.set(w, !want.known().canSample());
            }
        }
        return deferred;
    }

    /** Rows of logits in the order of their wants, computed some at a time: those before are free when nobody keeps them. */
    private static final class LogitRows {
        private final ShardStep compute;
        private final int[] tokens;
        private Floats group = new Floats(0, 0, new float[0]);
        private int taken;

        LogitRows(ShardStep compute, int[] tokens) {
            this.compute = compute;
            this.tokens = tokens;
        }

        /** The next row's place in the {@link #group}. */
        int next() {
            int row = taken % ROWS_AT_ONCE;
            if (row == 0) {
                group = compute.logits(
                        Arrays.copyOfRange(tokens, taken, Math.min(tokens.length, taken + ROWS_AT_ONCE)));
            }
            taken++;
            return row;
        }

        Floats group() {
            return group;
        }
    }

    private static int[] rows(List<SequenceTable.WantedRow> wants, BitSet failed, Set<Want.Kind> kinds) {
        return wants.stream()
                .filter(want -> kinds.contains(want.kind()) && !failed.get(want.row()))
                .mapToInt(SequenceTable.WantedRow::row)
                .toArray();
    }

    private Candidates.Answer fromLogits(int index, SequenceTable.WantedRow want, LogitRows all, VocabularyRows own) {
        int row = all.next();
        Floats logits = all.group();
        if (want.kind() == Want.Kind.ROW) {
            return new Candidates.Answer(null, finite(logits.slice(row, row + 1), want));
        }
        if (want.kind() == Want.Kind.SCORE) {
            TokenScore score = want.known().scoreAfter(want.position());
            return new Candidates.Answer(score.candidates(logits, row, own.first()), null);
        }
        RowDraw draw = draw(index, want, own);
        return draw == null ? NOTHING : new Candidates.Answer(firstOf(index, new RankRow(logits, row, draw)), null);
    }

    /** What is to be drawn from own rows; null where nothing can be. */
    private @Nullable RowDraw draw(int index, SequenceTable.WantedRow want, VocabularyRows own) {
        if (deferred.get(index)) {
            return null;
        }
        KnownSequence known = want.known();
        SamplerState state;
        try {
            state = known.samplerAfter(want.position());
        } catch (GuideException e) {
            failed.set(want.row());
            return null;
        }
        return RowDraw.of(state, known.choice(), own.first(), own.count());
    }

    /** A want's first candidates; more can be taken from its row. */
    private RankCandidates firstOf(int index, CandidateRow row) {
        rows.put(index, row);
        return row.candidates(row.draw().firstLimit());
    }

    /**
     * The candidates of the wants for tokens and scores, from logits that stay where they are computed.
     *
     * @param without rows of tokens that had failed before
     */
    private Map<Integer, RankCandidates> search(
            LogitSearch search, List<SequenceTable.WantedRow> wants, BitSet without, VocabularyRows own) {
        Map<Integer, RowDraw> draws = new HashMap<>();
        Map<Integer, CandidateQuery> queries = new TreeMap<>();
        for (int w = 0; w < wants.size(); w++) {
            SequenceTable.WantedRow want = wants.get(w);
            if (without.get(want.row())) {
                continue;
            }
            if (want.kind() == Want.Kind.SCORE) {
                queries.put(w, want.known().scoreAfter(want.position()).query());
            } else if (want.kind() == Want.Kind.TOKEN) {
                RowDraw draw = draw(w, want, own);
                if (draw != null) {
                    draws.put(w, draw);
                    queries.put(w, draw.query());
                }
            }
        }
        int[] tokens =
                queries.keySet().stream().mapToInt(w -> wants.get(w).row()).toArray();
        Iterator<SearchedLogits> found =
                search.candidates(tokens, List.copyOf(queries.values())).iterator();
        Map<Integer, RankCandidates> candidates = new HashMap<>();
        for (int w : queries.keySet()) {
            SearchedLogits row = found.next();
            RowDraw draw = draws.get(w);
            SequenceTable.WantedRow want = wants.get(w);
            candidates.put(
                    w,
                    draw == null
                            ? want.known().scoreAfter(want.position()).candidates(row.found(), own.first(), own.count())
                            : firstOf(w, new SearchedRow(draw, row.found(), row.logits())));
        }
        return candidates;
    }

    private Floats finite(Floats row, SequenceTable.WantedRow want) {
        for (int column = 0; column < row.columns(); column++) {
            if (!Float.isFinite(row.get(0, column))) {
                failed.set(want.row());
                break;
            }
        }
        return row;
    }

    /** The wants whose candidates may not be enough, with what more can be taken from. */
    Map<Integer, CandidateRow> incomplete() {
        Map<Integer, CandidateRow> open = new HashMap<>();
        rows.forEach((want, row) -> {
            RankCandidates sent = answers.get(want).candidates();
            if (sent != null && !sent.complete()) {
                open.put(want, row);
            }
        });
        return open;
    }
}
