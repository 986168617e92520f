package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.LossCause;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.StepBatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.pekko.actor.testkit.typed.javadsl.LoggingTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a scheduler does when an epoch is lost. */
class SchedulerLossTest extends SchedulerFixture {
    @Test
    void goesOnWithTheSameTokensInANewEpochWhenANodeIsLost() {
        FakeReplica replica = new FakeReplica(kit, 2, 2, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 2, 2);
        serveOne(scheduler, "warm");
        replica.hold();
        Submission submission = submission("a", 9, 20);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        List<Scheduler.Advanced> advances = new ArrayList<>();
        for (int token = 0; token < 7; token++) {
            await("a step in flight", () -> replica.stepsHeld() == 1);
            replica.releaseOne();
            advances.addAll(receive(1));
        }
        await("a step in flight", () -> replica.stepsHeld() == 1);

        replica.lose(1, 1, "node 127.0.0.2:2551 was removed from the cluster; it hosted stage 1 rank 1");
        replica.release();
        advances.addAll(receive(13));

        assertThat(tokens(advances, 0)).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(advances.getLast().epoch()).isEqualTo(replica.epoch());
        assertThat(advances.get(6).epoch()).isLessThan(replica.epoch());
        assertThat(stats(scheduler).epochsLost()).isEqualTo(1);
        assertThat(stats(scheduler).freeBlocks()).isEqualTo(20);
        assertThat(replica.stageCommands()).containsExactly(PipelineStage.Stop.INSTANCE, PipelineStage.Stop.INSTANCE);
    }

    @Test
    void computesAloneWhatWasComputedWhenAnEpochWasLost() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 40, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        TestProbe<Scheduler.Update> other = kit.createTestProbe();
        scheduler.tell(new Scheduler.Submit(submission("a", 5, 3), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);
        scheduler.tell(new Scheduler.Submit(submission("b", 5, 3), other.getRef()));
        other.expectMessageClass(Scheduler.Accepted.class);
        replica.releaseOne();
        await("both in flight", () -> replica.batches().getLast().entries().size() == 2);

        replica.lose(0, 0, "gone");
        await(
                "a step of the next epoch",
                () -> replica.batches().getLast().epoch().equals(replica.epoch()));
        replica.release();
        receive(3);
        for (int token = 0; token < 3; token++) {
            other.expectMessageClass(Scheduler.Advanced.class);
        }

        List<StepBatch> after = replica.batches().stream()
                .filter(batch -> batch.epoch().equals(replica.epoch()))
                .toList();
        assertThat(after.get(0).entries()).hasSize(1);
        assertThat(after.get(1).entries()).hasSize(1);
        assertThat(after.get(2).entries()).hasSize(2);
    }

    @Test
    void endsARequestThatCostsTwoEpochsAndNoOther() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 40, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        TestProbe<Scheduler.Update> other = kit.createTestProbe();
        Submission healthy = submission("b", 4, 3);
        scheduler.tell(new Scheduler.Submit(
                submission("blocker", 2, 1),
                kit.<Scheduler.Update>createTestProbe().getRef()));
        await("a step in flight", () -> replica.stepsHeld() == 1);
        scheduler.tell(new Scheduler.Submit(submission("a", 5, 9), generation.getRef()));
        scheduler.tell(new Scheduler.Submit(healthy, other.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        other.expectMessageClass(Scheduler.Accepted.class);
        replica.releaseOne();
        await("both in flight", () -> replica.batches().getLast().entries().size() == 2);

        replica.lose(0, 0, "node x ended");
        await("one of them alone", () -> replica.isForming(2) && replica.stepsHeld() == 1);
        replica.lose(0, 0, "node y ended");

        GenerationFailure failure = expectFailure();
        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.POISON);
        assertThat(failure.reason()).contains("2 times in a row", "prompt of 5 tokens", "node y ended");
        await("the healthy one", () -> replica.isForming(3) && replica.stepsHeld() == 1);
        replica.release();
        List<Scheduler.Advanced> advances = new ArrayList<>();
        for (int token = 0; token < 3; token++) {
            advances.add(other.expectMessageClass(Scheduler.Advanced.class));
        }
        assertThat(tokens(advances, 0)).isEqualTo(CountingReplica.completion(healthy, 0));
    }

    @ParameterizedTest(name = "which get no rank then: {0}")
    @ValueSource(booleans = {false, true})
    void blamesNoRequestForConnectionsBetweenNodesThatLive(boolean moves) {
        assertOutlivesThree(replica -> {
            if (moves) {
                replica.moveToOtherNodes();
            }
            replica.lose(LossCause.CONNECTION, "the connection was reset");
        });
    }

    @Test
    void blamesNoRequestWhenNodesGoOverToAnotherScheduler() {
        assertOutlivesThree(
                replica -> replica.lose(LossCause.SUPERSEDED, "stage 0 rank 0 works for another epoch now"));
    }

    /** A request whose step is lost so three times gets its token all the same. */
    private void assertOutlivesThree(Consumer<FakeReplica> lose) {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        Submission submission = submission("a", 5, 1);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        for (int loss = 1; loss <= 3; loss++) {
            int round = loss;
            await("a step in flight", () -> isInEpoch(replica, round) && replica.stepsHeld() == 1);
            lose.accept(replica);
        }
        await("an epoch", () -> isInEpoch(replica, 4) && replica.stepsHeld() == 1);
        replica.release();

        assertThat(tokens(receive(1), 0)).isEqualTo(CountingReplica.completion(submission, 0));
    }

    @Test
    void blamesTheRequestWhenTheNodesBehindItsConnectionsHaveDied() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        scheduler.tell(new Scheduler.Submit(submission("a", 5, 1), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        for (int loss = 1; loss <= 2; loss++) {
            int round = loss;
            await("a step in flight", () -> isInEpoch(replica, round) && replica.stepsHeld() == 1);
            replica.renewNodes();
            replica.lose(LossCause.CONNECTION, "closed by the other side");
        }

        assertThat(expectFailure().kind()).isEqualTo(GenerationFailure.Kind.POISON);
    }

    @Test
    void outlivesAnyNumberOfLossesWithATokenBetweenThem() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        Submission submission = submission("a", 3, 12);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        List<Scheduler.Advanced> advances = new ArrayList<>();
        for (int token = 0; token < 11; token++) {
            int round = token + 1;
            await("a step in flight", () -> {
                return isInEpoch(replica, round) && replica.stepsHeld() == 1;
            });
            replica.releaseOne();
            advances.addAll(receive(1));
            await("the next step", () -> replica.stepsHeld() == 1);
            replica.lose(0, 0, "gone again");
        }
        await("an epoch", () -> {
            return isInEpoch(replica, 12) && replica.stepsHeld() == 1;
        });
        replica.release();
        advances.addAll(receive(1));

        assertThat(tokens(advances, 0)).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(stats(scheduler).epochsLost()).isEqualTo(11);
    }

    @Test
    void givesItsGenerationsBackWhenAnotherSchedulerHasTakenOver() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        Submission submission = submission("a", 9, 20);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);

        replica.supersede(new Epoch(9, 99));
        replica.lose(0, 0, "its guardian has promised a higher epoch");

        Scheduler.Released released = generation.expectMessageClass(Scheduler.Released.class);
        assertThat(released.id()).isEqualTo(submission.id());
        assertThat(released.successor()).isEqualTo(99);
        generation.expectTerminated(scheduler);
    }

    @Test
    void givesItsWorkBackWhenItsNodeIssuesNoMoreEpochs() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        Submission submission = submission("a", 5, 9);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);

        replica.withdraw("its node leaves the cluster");
        replica.lose(0, 0, "its node leaves the cluster");

        Scheduler.Released released = generation.expectMessageClass(Scheduler.Released.class);
        assertThat(released.id()).isEqualTo(submission.id());
        assertThat(released.successor()).isZero();
        generation.expectTerminated(scheduler);
    }

    @Test
    void losesTheEpochWhenAStepGivesNoResultInTime() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        scheduler.tell(new Scheduler.Submit(submission("a", 9, 20), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);
        stats(scheduler);

        time.timePasses(STEP.minusMillis(1));
        assertThat(stats(scheduler).epochsLost()).isZero();
        LoggingTestKit.warn("step 3 of epoch e1.7 (9 tokens) gave no result within 5.0 s; "
                        + "127.0.0.1:2551#0/cpu0 hosts stage 0 rank 0 (layers 0 to 3, KV groups 0 to 0)")
                .expect(kit.system(), () -> {
                    time.timePasses(Duration.ofMillis(1));
                    return null;
                });

        await("the step in a new epoch", () -> replica.isForming(2) && replica.stepsHeld() == 1);
        replica.release();
        receive(20);
    }

    @Test
    void waitsAnewForEveryStepThatBecomesTheOldest() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");
        replica.hold();
        scheduler.tell(new Scheduler.Submit(submission("a", 9, 20), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        for (int i = 0; i < 5; i++) {
            await("a step in flight", () -> replica.stepsHeld() == 1);
            stats(scheduler);
            time.timePasses(STEP.minusMillis(1));

            replica.releaseOne();

            generation.expectMessageClass(Scheduler.Advanced.class);
        }
    }

    @Test
    void ignoresTheLossOfAnEarlierEpoch() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");

        replica.lose(Epoch.NONE, 0, 0, "old news");

        assertThat(stats(scheduler).epochsLost()).isZero();
        serveOne(scheduler, "b");
    }
}
