package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class SequenceTableTest {
    private final SequenceTable table = new SequenceTable(4, 16, Guides.none());

    private static StepEntry entry(
            long sequence, @Nullable SequenceStart start, int first, Ints tokens, Ints blocks, Want... wants) {
        return new StepEntry(sequence, start, first, tokens, blocks, List.of(wants));
    }

    private SequenceTable.Opened open(long step, List<Long> released, StepEntry... entries) {
        return table.open(new StepBatch(TestPlans.EPOCH, step, List.of(entries), released, 0));
    }

    @Test
    void growsBlockTablesByDifferences() {
        SequenceStart start = TestPlans.greedy(1, 2, 3, 4, 5, 6);
        open(1, List.of(), entry(7, start, 0, Ints.of(1, 2, 3), Ints.of(9)));

        TokenBatch batch = open(2, List.of(), entry(7, null, 3, Ints.of(4, 5, 6), Ints.of(2)))
                .tokens();

        assertThat(batch.tokens()).isEqualTo(3);
        assertThat(batch.block(0, 3, 4)).isEqualTo(9);
        assertThat(batch.block(0, 4, 4)).isEqualTo(2);
    }

    @Test
    void keepsWhatAnOpenStepSeesWhenALaterOneReusesItsBlocks() {
        TokenBatch first = open(1, List.of(), entry(7, TestPlans.greedy(1), 0, Ints.of(1), Ints.of(9)))
                .tokens();

        TokenBatch second = open(2, List.of(7L), entry(8, TestPlans.greedy(2), 0, Ints.of(2), Ints.of(9)))
                .tokens();

        assertThat(first.block(0, 0, 4)).isEqualTo(9);
        assertThat(second.block(0, 0, 4)).isEqualTo(9);
        assertThat(table.size()).isEqualTo(1);
    }

    @Test
    void forgetsAReleasedSequence() {
        open(1, List.of(), entry(7, TestPlans.greedy(1), 0, Ints.of(1), Ints.of(9)));

        assertThatThrownBy(() -> open(2, List.of(7L), entry(7, null, 1, Ints.of(2), Ints.of())))
                .hasMessage(
                        "step 2 of e3.7 names sequence 7, which this rank does not know (it knows 0); its entry must bring its start");
    }

    @Test
    void describesAKnownSequenceAnewWhenItBringsItsStart() {
        open(1, List.of(), entry(7, TestPlans.greedy(1, 2), 0, Ints.of(1, 2), Ints.of(9)));

        TokenBatch batch = open(2, List.of(), entry(7, TestPlans.greedy(1, 2, 3), 0, Ints.of(1, 2, 3), Ints.of(4)))
                .tokens();

        assertThat(batch.block(0, 0, 4)).isEqualTo(4);
    }

    @Test
    void refusesAGapAndAPositionWithoutABlock() {
        SequenceStart start = TestPlans.greedy(1, 2);

        assertThatThrownBy(() -> open(1, List.of(), entry(7, start, 3, Ints.of(4), Ints.of(9))))
                .hasMessage(
                        "sequence=7, positions [3, 4): known tokens=2, blocks=1 of 4 tokens; a step may not leave a gap");
        assertThatThrownBy(() -> open(1, List.of(), entry(7, start, 0, Ints.of(1, 2), Ints.of())))
                .hasMessageContaining("blocks=0");
        assertThatThrownBy(() -> open(1, List.of(), entry(7, start, 0, Ints.of(1, 2), Ints.of(16))))
                .hasMessage("step 1 of e3.7 gives sequence 7 the KV block 16; this rank has 0 to 15");
    }

    @Test
    void saysWhereWantedTokensStandInTheBatch() {
        List<SequenceTable.WantedRow> wants = open(
                        1,
                        List.of(),
                        entry(7, TestPlans.greedy(1, 2), 0, Ints.of(1, 2), Ints.of(0)),
                        entry(
                                8,
                                TestPlans.greedy(3, 4, 5),
                                0,
                                Ints.of(3, 4, 5),
                                Ints.of(1),
                                new Want(1, Want.Kind.ROW),
                                new Want(2, Want.Kind.TOKEN)))
                .wants();

        assertThat(wants).extracting(SequenceTable.WantedRow::row).containsExactly(3, 4);
        assertThat(wants).extracting(SequenceTable.WantedRow::position).containsExactly(1, 2);
    }

    @Test
    void foldsTheSamplerOverAcceptedTokensOnlyWhenADraftWasWrong() {
        SamplingParameters counting = new SamplingParameters(1, 0, 1, 0, 1, 0, 1, Map.of(), 1, -1);
        SequenceStart start = new SequenceStart(Ints.of(1, 2), 2, counting, 0);
        Want want = new Want(0, Want.Kind.TOKEN);
        open(1, List.of(), entry(7, start, 0, Ints.of(1, 2), Ints.of(0), new Want(1, Want.Kind.TOKEN)));
        KnownSequence drafted = open(
                        2, List.of(), entry(7, null, 2, Ints.of(3, 9), Ints.of(), want, new Want(1, Want.Kind.TOKEN)))
                .wants()
                .getFirst()
                .known();
        drafted.samplerAfter(3);

        KnownSequence accepted = open(3, List.of(), entry(7, null, 3, Ints.of(4), Ints.of(), want))
                .wants()
                .getFirst()
                .known();

        SamplerState expected = new SamplerState(counting, 2);
        expected.append(Ints.of(1, 2, 3, 4));
        assertThat(accepted.samplerAfter(3)).usingRecursiveComparison().isEqualTo(expected);
    }
}
