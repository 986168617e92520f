package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.serving.meter.StageUsage;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

/** What a scheduler tells of its steps. */
class SchedulerMeterTest extends SchedulerFixture {
    @Test
    void tellsWhatItsStepsComputed() {
        FakeReplica replica = new FakeReplica(kit, 2, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 2, 1);

        serveOne(scheduler, "a");

        SchedulerStats stats = stats(scheduler);
        PipelineStats pipeline = stats.pipeline();
        assertThat(pipeline.stepSeconds().count()).isEqualTo(stats.steps()).isPositive();
        assertThat(pipeline.stepTokens().sum()).isEqualTo((double) stats.tokens());
        assertThat(pipeline.stepSequences().sum()).isEqualTo((double) stats.steps());
        assertThat(pipeline.stages()).extracting(StageUsage::stage).containsExactly(0, 1);
        assertThat(pipeline.ranks()).hasSize(2);
    }
}
