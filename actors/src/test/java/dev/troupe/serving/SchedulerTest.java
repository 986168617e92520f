package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.pekko.actor.testkit.typed.javadsl.LoggingTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

/** What a scheduler does for generations while all is well. */
class SchedulerTest extends SchedulerFixture {
    @Test
    void formsItsStagesAndServesAGenerationToItsEnd() {
        FakeReplica replica = new FakeReplica(kit, 2, 2, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 2, 2);
        Submission submission = submission("a", 20, 5);

        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));

        generation.expectMessage(new Scheduler.Accepted(submission.id(), scheduler));
        List<Scheduler.Advanced> advances = receive(5);
        assertThat(tokens(advances, 0)).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(advances).allSatisfy(advance -> assertThat(advance.epoch()).isEqualTo(replica.epoch()));
        assertThat(advances.getFirst().outputs().getFirst().position()).isEqualTo(20);
        SchedulerStats stats = stats(scheduler);
        assertThat(stats.generations()).isZero();
        assertThat(stats.freeBlocks()).isEqualTo(20);
        assertThat(stats.tokens()).isEqualTo(24);
        assertThat(stats.completionTokens()).isEqualTo(5);
    }

    @Test
    void servesSeveralChoicesOfOneGenerationAsSequencesOfTheirOwn() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 40, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        Submission submission = submission("a", 6, 4, 3);

        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));

        generation.expectMessageClass(Scheduler.Accepted.class);
        // The others begin when the first has computed what they have in common.
        List<Scheduler.Advanced> advances = receive(5);
        for (int choice = 0; choice < 3; choice++) {
            assertThat(tokens(advances, choice)).isEqualTo(CountingReplica.completion(submission, choice));
        }
        assertThat(tokens(advances, 0)).isNotEqualTo(tokens(advances, 1));
    }

    @Test
    void goesOnWithTheOtherChoicesWhenOneIsEnded() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 40, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        Submission submission = submission("a", 6, 4, 2);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        await("the first step", () -> replica.batches().size() == 1);

        scheduler.tell(new Scheduler.EndChoice(submission.id(), 0));
        stats(scheduler);
        replica.release();

        generation.expectMessageClass(Scheduler.Accepted.class);
        List<Scheduler.Advanced> advances = receive(4);
        assertThat(tokens(advances, 0)).isEmpty();
        assertThat(tokens(advances, 1)).isEqualTo(CountingReplica.completion(submission, 1));
    }

    @Test
    void freesTheBlocksOfACancelledGenerationWhenItsStepRetires() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        Submission submission = submission("a", 9, 20);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("the first step", () -> replica.batches().size() == 1);

        scheduler.tell(new Scheduler.Cancel(submission.id()));
        SchedulerStats cancelled = stats(scheduler);
        replica.release();
        await("free blocks", () -> stats(scheduler).freeBlocks() == 20);

        assertThat(cancelled.retiringBlocks()).isEqualTo(3);
        assertThat(cancelled.generations()).isZero();
        assertThat(replica.batches()).hasSize(1);
        generation.expectNoMessage(Duration.ZERO);
    }

    @Test
    void dropsAGenerationWhoseActorHasEnded() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        TestProbe<Scheduler.Update> dying = kit.createTestProbe();
        scheduler.tell(new Scheduler.Submit(submission("a", 9, 20), dying.getRef()));
        dying.expectMessageClass(Scheduler.Accepted.class);

        dying.stop();

        await("no generation", () -> stats(scheduler).generations() == 0);
    }

    @Test
    void refusesARequestThatCanNeverFitWithTheNumbers() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);

        scheduler.tell(new Scheduler.Submit(submission("a", 50, 40), generation.getRef()));
        scheduler.tell(new Scheduler.Submit(submission("b", 150, 60), generation.getRef()));
        scheduler.tell(new Scheduler.Submit(submission("c", 50, 31), generation.getRef()));

        List<GenerationFailure> failures = new ArrayList<>();
        List<Scheduler.Update> others = new ArrayList<>();
        while (failures.size() < 2 || others.size() < 3) {
            Scheduler.Update update = generation.receiveMessage();
            if (update instanceof Scheduler.Failed failed) {
                failures.add(failed.failure());
            } else {
                others.add(update);
            }
        }
        assertThat(failures)
                .containsExactlyInAnyOrder(
                        new GenerationFailure(
                                GenerationFailure.Kind.INVALID,
                                "prompt of 50 tokens + max_tokens 40 needs 23 KV blocks of 4 tokens and the replica has 20; "
                                        + "ask for at most 31, or give the replica more KV blocks"),
                        new GenerationFailure(
                                GenerationFailure.Kind.INVALID,
                                "prompt of 150 tokens + max_tokens 60 = 210 exceeds the context length of 200; "
                                        + "ask for at most 50"));
    }

    @Test
    void refusesMoreGenerationsThanItMayKnow() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        for (int i = 0; i < 6; i++) {
            scheduler.tell(new Scheduler.Submit(submission("a" + i, 3, 4), generation.getRef()));
            generation.expectMessageClass(Scheduler.Accepted.class);
        }

        scheduler.tell(new Scheduler.Submit(submission("b", 3, 4), generation.getRef()));

        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.OVERLOADED,
                        "6 generations run or wait, which is the limit; try again later"));
    }

    @Test
    void takesNoReplicaOverForALateMessage() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        GenerationId gone = new GenerationId("gone", "test");
        scheduler.tell(new Scheduler.Cancel(gone));
        scheduler.tell(new Scheduler.EndChoice(gone, 0));
        scheduler.tell(new Scheduler.Gone(generation.getRef()));
        scheduler.tell(new Scheduler.Probe(gone, generation.getRef()));
        assertThat(generation.expectMessageClass(Scheduler.Released.class).id()).isEqualTo(gone);
        // What the scheduler has asked for stands before this question.
        TestProbe<Placement.Findings> asked = kit.createTestProbe();
        replica.placement()
                .tell(new Placement.Inquiry("counting", 1, 1, Set.of(), Duration.ofSeconds(1), asked.getRef()));
        asked.receiveMessage();

        assertThat(replica.requests()).isEmpty();

        stats(scheduler);
        await("a request", () -> !replica.requests().isEmpty());
    }

    @Test
    void startsAnewAfterADefectOfItsOwn() {
        TestProbe<Placement.Command> placement = kit.createTestProbe();
        TestProbe<PipelineStage.Command> stage = kit.createTestProbe();
        ActorRef<Scheduler.Command> scheduler =
                kit.spawn(Scheduler.create(settings(1, 1), placement.getRef(), () -> 0));
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        Placement.Request request = placement.expectMessageClass(Placement.Request.class);

        LoggingTestKit.error("expected one above").expect(kit.system(), () -> {
            ReplicaPlan plan = new FakeReplica(kit, 1, 1, 20, 4).plan();
            request.replyTo().tell(new Placement.Placed(Epoch.NONE, plan, List.of(stage.getRef()), Set.of()));
            return null;
        });

        assertThat(generation.expectMessageClass(Scheduler.Released.class).reason())
                .isEqualTo("the scheduler of model counting has stopped");
        placement.expectNoMessage(Duration.ZERO);
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        placement.expectMessageClass(Placement.Request.class);
    }

    @Test
    void dropsAndCountsResultsOfOtherEpochsAndRepeatedOnes() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");

        replica.answer(new StepResult(replica.epoch(), 1, List.of(), List.of(), List.of()));
        replica.answer(new StepResult(replica.epoch().next(1), 3, List.of(), List.of(), List.of()));

        await("two dropped", () -> stats(scheduler).staleResults() == 2);
        serveOne(scheduler, "b");
    }

    @Test
    void endsAloneAGenerationThatMeetsAValueThatIsNotFinite() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        TestProbe<Scheduler.Update> other = kit.createTestProbe();
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);
        replica.poison(replica.batches().getFirst().entries().getFirst().sequence());
        Submission healthy = submission("b", 3, 2);
        scheduler.tell(new Scheduler.Submit(healthy, other.getRef()));
        other.expectMessageClass(Scheduler.Accepted.class);

        replica.release();

        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(GenerationFailure.Kind.NOT_FINITE, "a logit is not finite"));
        Scheduler.Advanced first = other.expectMessageClass(Scheduler.Advanced.class);
        Scheduler.Advanced second = other.expectMessageClass(Scheduler.Advanced.class);
        assertThat(tokens(List.of(first, second), 0)).isEqualTo(CountingReplica.completion(healthy, 0));
    }

    @Test
    void saysWhetherItKnowsAGeneration() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        Submission known = submission("a", 3, 4);
        GenerationId unknown = new GenerationId("b", "test");
        scheduler.tell(new Scheduler.Submit(known, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);

        scheduler.tell(new Scheduler.Probe(known.id(), generation.getRef()));
        scheduler.tell(new Scheduler.Probe(unknown, generation.getRef()));

        generation.expectMessage(new Scheduler.Accepted(known.id(), scheduler));
        generation.expectMessage(new Scheduler.Released(
                unknown, 0, "the scheduler of model counting does not know it: it has been started anew since"));
    }

    @Test
    void takesARepeatedSubmissionOnce() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        Submission submission = submission("a", 3, 1);

        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        generation.expectMessageClass(Scheduler.Accepted.class);
        replica.release();

        generation.expectMessageClass(Scheduler.Advanced.class);
        await("no generation", () -> stats(scheduler).generations() == 0);
        generation.expectNoMessage(Duration.ZERO);
    }

    @Test
    void endsEverythingWhenItStops() {
        FakeReplica replica = new FakeReplica(kit, 2, 1, 20, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 2, 1);
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);

        scheduler.tell(Scheduler.Stop.INSTANCE);

        generation.expectTerminated(scheduler);
        assertThat(generation.expectMessageClass(Scheduler.Released.class).reason())
                .isEqualTo("the scheduler of model counting has stopped");
        await("stopped stages", () -> replica.stageCommands().size() == 2);
    }

    @Test
    void keepsSeveralStepsInFlightButNoMoreThanItMay() {
        FakeReplica replica = new FakeReplica(kit, 3, 1, 40, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 3, 1);
        Submission submission = submission("a", 70, 2);

        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);

        await("three steps in flight", () -> replica.stepsHeld() == 3);
        stats(scheduler);
        assertThat(replica.batches().stream().map(StepBatch::tokens)).containsExactly(16, 16, 16);
        replica.release();
        assertThat(tokens(receive(2), 0)).isEqualTo(CountingReplica.completion(submission, 0));
    }
}
