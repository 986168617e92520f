package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.List;
import org.junit.jupiter.api.Test;

class BacklogTest {
    private static final int COLUMNS = 2;

    private final Backlog backlog = new Backlog(new Backlog.Limits(2000, 3), COLUMNS);
    private final StepBatch batch = TestPlans.prefill(1, 5, TestPlans.greedy(40, 41, 42), 0);
    private final Floats hidden = new Floats(3, COLUMNS, new float[] {1, 2, 3, 4, 5, 6});

    private HandOff piece(StepBatch of, int from, int to) {
        return new HandOff(of, Ints.of(1), List.of(new StageWork(0, 1, 2, 3, 4, 1)), from, hidden.slice(from, to));
    }

    private static Partial partial(long step) {
        return new Partial(TestPlans.EPOCH, step, 0, 1, 4, 8, 0, new Floats(1, COLUMNS, new float[COLUMNS]));
    }

    @Test
    void isReadyWhenAllRowsOfAHandOffAreThere() {
        backlog.noteHandOff(piece(batch, 2, 3), 1);
        assertThat(backlog.ready(1)).isFalse();

        backlog.noteHandOff(piece(batch, 0, 2), 1);

        assertThat(backlog.ready(1)).isTrue();
        Backlog.Waiting waiting = backlog.take(1);
        assertThat(waiting.hidden()).isEqualTo(hidden);
        assertThat(waiting.failedTokens()).isEqualTo(Ints.of(1));
        assertThat(waiting.work()).containsExactly(new StageWork(0, 1, 2, 3, 4, 1));
    }

    @Test
    void keepsAPartialThatArrivesBeforeItsStep() {
        Partial early = partial(1);

        Noted noted = backlog.noteEarly(early, 1);
        backlog.noteBatch(batch, 1);

        assertThat(noted).isEqualTo(Noted.KEPT);
        assertThat(backlog.take(1).early()).containsExactly(early);
    }

    @Test
    void hasNoRoomBeyondItsBytesAndGetsItBack() {
        backlog.noteBatch(batch, 1);
        int kept = 0;
        while (backlog.noteEarly(partial(1), 1) == Noted.KEPT) {
            kept++;
        }
        assertThat(kept).isEqualTo(6);

        backlog.take(1);

        assertThat(backlog.bytes()).isZero();
        assertThat(backlog.noteEarly(partial(2), 2)).isEqualTo(Noted.KEPT);
    }

    @Test
    void hasNoRoomForStepsFarAhead() {
        assertThat(backlog.noteEarly(partial(4), 1)).isEqualTo(Noted.KEPT);
        assertThat(backlog.noteEarly(partial(5), 1)).isEqualTo(Noted.NO_ROOM);
        assertThat(backlog.noteEarly(partial(Long.MAX_VALUE), 1)).isEqualTo(Noted.NO_ROOM);
    }

    @Test
    void doesNotChargeForRepeats() {
        backlog.noteHandOff(piece(batch, 0, 3), 1);
        long bytes = backlog.bytes();

        assertThat(backlog.noteHandOff(piece(batch, 0, 3), 1)).isEqualTo(Noted.REPEATED);

        assertThat(backlog.bytes()).isEqualTo(bytes);
    }

    @Test
    void refusesTwoBatchesForOneStep() {
        StepBatch other = TestPlans.prefill(1, 6, TestPlans.greedy(40, 41, 42), 0);
        backlog.noteHandOff(piece(batch, 0, 1), 1);

        assertThatThrownBy(() -> backlog.noteHandOff(piece(other, 1, 3), 1))
                .isInstanceOf(ContradictionException.class)
                .hasMessage("epoch=e3.7, step=1 came with two different batches");

        backlog.noteHandOff(piece(batch, 1, 3), 1);
        assertThat(backlog.take(1).hidden()).isEqualTo(hidden);
    }
}
