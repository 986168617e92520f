package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Two ranks of 256 and of 200 vocabulary rows. */
class PendingResultTest {
    private static final int SPLIT = 256;
    private static final int VOCABULARY = 456;
    private static final SamplingParameters WIDE = new SamplingParameters(50, 0, 0.99f, 0, 1, 0, 0, Map.of(), 5, -1);

    private final Floats first = logits(SPLIT, 0);
    private final Floats second = logits(VOCABULARY - SPLIT, 3);

    private static Floats logits(int columns, int shift) {
        float[] values = new float[columns];
        for (int i = 0; i < columns; i++) {
            values[i] = (i * 7 + shift) % 31;
        }
        return new Floats(1, columns, values);
    }

    private static List<SequenceTable.WantedRow> wants(SamplingParameters sampling, Want.Kind kind) {
        StepEntry entry = new StepEntry(
                5,
                new SequenceStart(Ints.of(40), 1, sampling, 0),
                0,
                Ints.of(40),
                Ints.of(0),
                List.of(new Want(0, kind)));
        return new SequenceTable(4, 4, Guides.none())
                .open(new StepBatch(TestPlans.EPOCH, 1, List.of(entry), List.of(), 0))
                .wants();
    }

    private static PendingResult pending(List<SequenceTable.WantedRow> wants) {
        return new PendingResult(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0), wants, 2);
    }

    private RankRow row(Floats logits, int firstRow, SequenceTable.WantedRow want) {
        return new RankRow(logits, 0, firstRow, want.known().samplerAfter(0), 0);
    }

    private static RankAnswers own(RankRow row) {
        RankCandidates candidates = row.candidates(row.draw().firstLimit());
        return new RankAnswers(
                List.of(new Candidates.Answer(candidates, null)), Map.of(0, row), Map.of(), new BitSet(), new BitSet());
    }

    private static Candidates peer(int round, Candidates.Answer... answers) {
        return new Candidates(TestPlans.EPOCH, 1, 1, round, List.of(answers), Ints.of(), Ints.of());
    }

    private static Candidates.Answer answer(RankRow row, int limit) {
        return new Candidates.Answer(row.candidates(limit), null);
    }

    @Test
    void drawsTheTokenOfTheWholeVocabularyWhoeverIsFirst() {
        List<SequenceTable.WantedRow> wants = wants(SamplingParameters.greedy(), Want.Kind.TOKEN);
        RankRow other = row(second, SPLIT, wants.getFirst());
        PendingResult result = pending(wants);

        result.note(peer(0, answer(other, 64)));
        assertThat(result.gathered()).isFalse();
        result.noteOwn(own(row(first, 0, wants.getFirst())), List.of());

        assertThat(result.gathered()).isTrue();
        assertThat(result.settle()).isEmpty();
        StepResult.Token token = (StepResult.Token) result.result().answers().getFirst();
        assertThat(token.logit()).isEqualTo(30);
        assertThat(token.token()).isEqualTo(22);
    }

    @Test
    void goesThroughRoundsUntilTheDrawIsSettled() {
        List<SequenceTable.WantedRow> wants = wants(WIDE, Want.Kind.TOKEN);
        RankRow other = row(second, SPLIT, wants.getFirst());
        PendingResult result = pending(wants);
        result.noteOwn(own(row(first, 0, wants.getFirst())), List.of());
        Candidates unasked = peer(0, answer(other, other.draw().firstLimit()));
        result.note(unasked);

        CandidateRequest request = Objects.requireNonNull(result.settle().get(1));

        assertThat(request.round()).isEqualTo(1);
        assertThat(result.gathered()).isFalse();
        assertThat(result.note(unasked)).isEqualTo(Noted.REPEATED);
        assertThat(result.note(peer(1, answer(other, request.limits().get(0))))).isEqualTo(Noted.KEPT);
        assertThat(result.settle()).isEmpty();
        assertThat(result.settled()).isTrue();
        assertThat(result.result().answers()).hasSize(1);
    }

    @Test
    void joinsARowOfLogitsInTheOrderOfTheRanks() {
        PendingResult result = pending(wants(SamplingParameters.greedy(), Want.Kind.ROW));

        result.note(peer(0, new Candidates.Answer(null, second)));
        result.noteOwn(
                new RankAnswers(
                        List.of(new Candidates.Answer(null, first)), Map.of(), Map.of(), new BitSet(), new BitSet()),
                List.of());

        assertThat(result.settle()).isEmpty();
        Floats whole = ((StepResult.Row) result.result().answers().getFirst()).values();
        assertThat(whole.columns()).isEqualTo(VOCABULARY);
        assertThat(whole.get(0, SPLIT - 1)).isEqualTo(first.get(0, SPLIT - 1));
        assertThat(whole.get(0, SPLIT)).isEqualTo(second.get(0, 0));
    }

    @Test
    void failsASequenceOfWhichOnlyAPeerKnowsThatItFails() {
        PendingResult result = pending(wants(SamplingParameters.greedy(), Want.Kind.ROW));
        result.noteOwn(
                new RankAnswers(
                        List.of(new Candidates.Answer(null, first)), Map.of(), Map.of(), new BitSet(), new BitSet()),
                List.of());

        result.note(new Candidates(
                TestPlans.EPOCH, 1, 1, 0, List.of(new Candidates.Answer(null, second)), Ints.of(0), Ints.of()));

        assertThat(result.settle()).isEmpty();
        assertThat(result.result().answers()).isEmpty();
        assertThat(result.result().failures())
                .extracting(StepResult.Failure::sequence)
                .containsExactly(5L);
    }

    @Test
    void refusesWhatNoRankCanHaveSent() {
        List<SequenceTable.WantedRow> wants = wants(SamplingParameters.greedy(), Want.Kind.TOKEN);
        Candidates.Answer answer = answer(row(second, SPLIT, wants.getFirst()), 64);
        PendingResult result = pending(wants);

        assertThatThrownBy(() -> result.note(peer(0)))
                .isInstanceOf(ContradictionException.class)
                .hasMessage("epoch=e3.7, step=1: 0 answers of rank=1, round=0: expected 1 answers");
        assertThatThrownBy(() -> result.note(peer(1, answer)))
                .isInstanceOf(ContradictionException.class)
                .hasMessage("epoch=e3.7, step=1: 1 answers of rank=1, round=1: this is round 0 among 2 ranks");
        assertThatThrownBy(() ->
                        result.note(new Candidates(TestPlans.EPOCH, 1, 2, 0, List.of(answer), Ints.of(), Ints.of())))
                .isInstanceOf(ContradictionException.class);
        assertThatThrownBy(() ->
                        result.note(new Candidates(TestPlans.EPOCH, 1, 0, 0, List.of(answer), Ints.of(), Ints.of())))
                .isInstanceOf(ContradictionException.class);
    }
}
