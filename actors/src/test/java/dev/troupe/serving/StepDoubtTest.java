package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardWork;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class StepDoubtTest {
    private static final Epoch EPOCH = new Epoch(3, 7);
    private static final ReplicaPlan PLAN = new ReplicaPlan(
            "m",
            0,
            "",
            "exact",
            new Partition(List.of(new Partition.Stage(
                    0, 4, List.of(new Partition.Rank(0, 1, 0, 10), new Partition.Rank(1, 2, 10, 20))))),
            List.of(List.of("a/cpu0", "b/cpu0")),
            KvType.F32,
            4,
            10);

    private final StepDoubt doubt = new StepDoubt(Duration.ofSeconds(20));

    private static Placement.RankReport rank(int rank, Placement.RankReport.State state, long units) {
        return new Placement.RankReport(new ShardId(EPOCH, 0, rank), state, new ShardWork(units, units, units, units));
    }

    private StepDoubt.Judgement judge(Placement.RankReport... ranks) {
        return judge(new Placement.Findings(List.of(ranks), 2));
    }

    private StepDoubt.Judgement judge(Placement.@Nullable Findings findings) {
        return doubt.judge(EPOCH, PLAN, 5, Duration.ofSeconds(1), findings);
    }

    private static void assertLost(StepDoubt.Judgement judgement, String reason, boolean link) {
        assertThat(judgement).isEqualTo(new StepDoubt.Lost(reason, link));
    }

    @Test
    void isLostWhereANodeDoesNotAnswer() {
        String silent = "no sign of life within 2 s of stage 0 rank 1 on b/cpu0 (layers 0 to 3, KV groups 1 to 1)";

        assertLost(judge(rank(0, Placement.RankReport.State.COMPUTING, 9)), silent, false);
        assertThat(judge((Placement.Findings) null)).isInstanceOf(StepDoubt.Lost.class);
    }

    @Test
    void isLostWhereARankHangs() {
        assertLost(
                judge(rank(0, Placement.RankReport.State.OTHER, 9), rank(1, Placement.RankReport.State.STUCK, 9)),
                "stage 0 rank 1 on b/cpu0 (layers 0 to 3, KV groups 1 to 1) hangs in a unit of work",
                false);
    }

    @Test
    void isLateWhileARankComputesOrGetsFurther() {
        for (int units = 1; units < 10; units++) {
            assertThat(judge(
                            rank(0, Placement.RankReport.State.OTHER, units),
                            rank(1, Placement.RankReport.State.OTHER, 7)))
                    .isEqualTo(StepDoubt.Late.LATE);
            assertThat(judge(
                            rank(0, Placement.RankReport.State.OTHER, units),
                            rank(1, Placement.RankReport.State.COMPUTING, 7)))
                    .isEqualTo(StepDoubt.Late.LATE);
        }
    }

    @Test
    void isLostWhereAllWaitForEachOther() {
        Placement.RankReport[] waiting = {
            rank(0, Placement.RankReport.State.OTHER, 4), rank(1, Placement.RankReport.State.OTHER, 5)
        };

        assertThat(judge(waiting)).isEqualTo(StepDoubt.Late.LATE);
        assertLost(judge(waiting), "no rank computes and none gets further: a message between them is lost", true);
    }

    @Test
    void isNotLateForEver() {
        StepDoubt.Judgement judgement = StepDoubt.Late.LATE;
        int looks = 0;
        while (judgement == StepDoubt.Late.LATE) {
            looks++;
            judgement = judge(
                    rank(0, Placement.RankReport.State.OTHER, looks), rank(1, Placement.RankReport.State.OTHER, 0));
        }

        assertThat(looks).isEqualTo(21);
    }

    @Test
    void beginsAnewWithEveryStep() {
        Placement.Findings waiting = new Placement.Findings(
                List.of(rank(0, Placement.RankReport.State.OTHER, 4), rank(1, Placement.RankReport.State.OTHER, 5)), 2);
        judge(waiting);

        assertThat(doubt.judge(EPOCH, PLAN, 6, Duration.ofSeconds(1), waiting)).isEqualTo(StepDoubt.Late.LATE);
    }
}
