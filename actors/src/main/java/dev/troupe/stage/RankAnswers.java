package dev.troupe.stage;

import dev.troupe.model.ShardStep;
import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a last-stage rank has found in its own vocabulary rows for the wants of a step.
 *
 * @param answers one for every want, in order: what rank 0 gets
 * @param rows what more candidates can be taken from, by want
 * @param hidden states after the final norm {@code [1, hidden]}, by want; whole on every rank
 * @param failed tokens of the batch that are known to have failed
 */
record RankAnswers(
        List<Candidates.Answer> answers, Map<Integer, RankRow> rows, Map<Integer, Floats> hidden, BitSet failed) {
    private static final Candidates.Answer NOTHING = new Candidates.Answer(null, null);

    /**
     * Rows of logits in one array, which would otherwise have many megabytes and live for long. As many as a decoder computes at
     * once: fewer would read its output matrix more often.
     */
    private static final int ROWS_AT_ONCE = 16;

    /**
     * Computes what the wants of {@code step} ask for.
     *
     * @param firstVocabularyRow id of the first own vocabulary row
     * @param withHidden whether hidden states are wanted from this rank
     */
    static RankAnswers of(OpenStep step, int firstVocabularyRow, boolean withHidden) {
        ShardStep compute = step.compute();
        BitSet failed = step.failedTokens();
        int[] logitRows = rows(step.wants(), failed, false);
        List<Floats> logits = new ArrayList<>();
        for (int from = 0; from < logitRows.length; from += ROWS_AT_ONCE) {
            int to = Math.min(logitRows.length, from + ROWS_AT_ONCE);
            logits.add(compute.logits(Arrays.copyOfRange(logitRows, from, to)));
        }
        int[] hiddenRows = withHidden ? rows(step.wants(), failed, true) : new int[0];
        Floats hidden = hiddenRows.length == 0 ? null : compute.finalHidden(hiddenRows);
        RankAnswers found = new RankAnswers(new ArrayList<>(), new HashMap<>(), new HashMap<>(), step.failedTokens());
        int nextLogits = 0;
        int nextHidden = 0;
        for (int w = 0; w < step.wants().size(); w++) {
            SequenceTable.WantedRow want = step.wants().get(w);
            Candidates.Answer answer = NOTHING;
            if (!failed.get(want.row())) {
                if (want.kind() != Want.Kind.HIDDEN) {
                    int row = nextLogits++;
                    answer = found.fromLogits(
                            w, want, logits.get(row / ROWS_AT_ONCE), row % ROWS_AT_ONCE, firstVocabularyRow);
                } else if (hidden != null) {
                    Floats row = hidden.slice(nextHidden, ++nextHidden);
                    found.hidden.put(w, found.finite(row, want));
                }
            }
            found.answers.add(answer);
        }
        return found;
    }

    private static int[] rows(List<SequenceTable.WantedRow> wants, BitSet failed, boolean hidden) {
        return wants.stream()
                .filter(want -> hidden == (want.kind() == Want.Kind.HIDDEN) && !failed.get(want.row()))
                .mapToInt(SequenceTable.WantedRow::row)
                .toArray();
    }

    private Candidates.Answer fromLogits(
            int index, SequenceTable.WantedRow want, Floats logits, int row, int firstVocabularyRow) {
        if (want.kind() == Want.Kind.ROW) {
            return new Candidates.Answer(null, finite(logits.slice(row, row + 1), want));
        }
        KnownSequence known = want.known();
        SamplerState state;
        try {
            state = known.samplerAfter(want.position());
        } catch (GuideException e) {
            failed.set(want.row());
            return NOTHING;
        }
        RankRow found = new RankRow(logits, row, firstVocabularyRow, state, known.choice());
        rows.put(index, found);
        return new Candidates.Answer(found.candidates(found.draw().firstLimit()), null);
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
    Map<Integer, RankRow> incomplete() {
        Map<Integer, RankRow> open = new HashMap<>();
        rows.forEach((want, row) -> {
            RankCandidates sent = answers.get(want).candidates();
            if (sent != null && !sent.complete()) {
                open.put(want, row);
            }
        });
        return open;
    }
}
