package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.LoggingTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SchedulerTest {
    private static final Duration STEP = Duration.ofSeconds(5);
    private static final SchedulerSettings.Waits WAITS = new SchedulerSettings.Waits(
            Duration.ofHours(1),
            Duration.ofSeconds(1),
            Duration.ofSeconds(60),
            Duration.ofSeconds(30),
            STEP,
            Duration.ZERO);

    /** Busy build machines need more than the kit's three seconds. */
    private static final Config PATIENT =
            ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s");

    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config().withFallback(PATIENT));
    private final ManualTime time = ManualTime.get(kit.system());
    private final TestProbe<Scheduler.Update> generation = kit.createTestProbe();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private static SchedulerSettings settings(int stages, int ranks) {
        StepLimits limits = new StepLimits(32, 16, 8, 8, stages, 8);
        return new SchedulerSettings("counting", 0, stages, ranks, limits, 200, 6, 1 << 20, WAITS);
    }

    private ActorRef<Scheduler.Command> scheduler(FakeReplica replica, int stages, int ranks) {
        return kit.spawn(Scheduler.create(settings(stages, ranks), replica.placement(), () -> 0));
    }

    private static Submission submission(String id, int promptLength, int maxTokens) {
        return submission(id, promptLength, maxTokens, 1);
    }

    private static Submission submission(String id, int promptLength, int maxTokens, int n) {
        return new Submission(
                new GenerationId(id, "test"),
                "trace-" + id,
                Ints.of(IntStream.range(0, promptLength).map(i -> i % 50).toArray()),
                IntStream.range(0, n)
                        .mapToObj(choice -> new Submission.Choice(choice, Ints.of()))
                        .toList(),
                SamplingParameters.greedy(),
                new FinishRule(maxTokens, Ints.of()),
                Returns.TOKENS_ONLY);
    }

    private static List<Integer> tokens(List<Scheduler.Advanced> advances, int choice) {
        List<Integer> tokens = new ArrayList<>();
        for (Scheduler.Advanced advance : advances) {
            for (Output output : advance.outputs()) {
                if (output.choice() == choice && output instanceof Output.Token token) {
                    tokens.add(token.token());
                }
            }
        }
        return tokens;
    }

    private List<Scheduler.Advanced> receive(int advances) {
        List<Scheduler.Advanced> received = new ArrayList<>();
        for (int i = 0; i < advances; i++) {
            received.add(generation.expectMessageClass(Scheduler.Advanced.class));
        }
        return received;
    }

    private GenerationFailure expectFailure() {
        return generation.expectMessageClass(Scheduler.Failed.class).failure();
    }

    private SchedulerStats stats(ActorRef<Scheduler.Command> scheduler) {
        TestProbe<SchedulerStats> probe = kit.createTestProbe();
        scheduler.tell(new Scheduler.GetStats(probe.getRef()));
        return probe.receiveMessage();
    }

    /** Lets time pass as long as it takes to be there, and no longer: steps in flight have deadlines. */
    private boolean isInEpoch(FakeReplica replica, int round) {
        if (!replica.isForming(round)) {
            time.timePasses(WAITS.retry());
        }
        return replica.isForming(round);
    }

    /** Waits in real time: the test kit's own clock stands still. */
    private static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waited too long for " + what).isLessThan(end);
            Thread.onSpinWait();
        }
    }

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
        List<Scheduler.Advanced> advances = receive(4);
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
    void endsWhatWaitsWhenThereIsNoPlaceAndServesWhenThereIs() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.refuse("needs 4 compute slots, there are 2");
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("the refusal", () -> {
            time.timePasses(WAITS.retry());
            return stats(scheduler).generations() == 0;
        });
        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.NO_CAPACITY, "needs 4 compute slots, there are 2"));

        replica.refuse(null);
        await("an epoch", () -> {
            time.timePasses(WAITS.retry());
            return stats(scheduler).serving();
        });
        Submission submission = submission("b", 3, 2);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));

        generation.expectMessageClass(Scheduler.Accepted.class);
        assertThat(tokens(receive(2), 0)).isEqualTo(CountingReplica.completion(submission, 0));
    }

    @Test
    void endsWhatWaitsWhenPlacementDoesNotAnswer() {
        TestProbe<Placement.Command> silent = kit.createTestProbe();
        ActorRef<Scheduler.Command> scheduler = kit.spawn(Scheduler.create(settings(1, 1), silent.getRef(), () -> 0));
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        silent.expectMessageClass(Placement.Request.class);

        time.timePasses(WAITS.placement());

        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.NO_CAPACITY, "no answer about placement within 3600.0 s"));
    }

    @Test
    void endsWhatWaitsWhenTheReplicaCanNeverBeFormedAndTriesAgainLater() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.formNoMore();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        for (int epoch = 1; epoch <= 4; epoch++) {
            int round = epoch;
            await("forming", () -> {
                time.timePasses(WAITS.retry());
                return replica.isForming(round);
            });
            generation.expectNoMessage(Duration.ZERO);
            replica.lose(0, -1, "model.safetensors is truncated");
        }

        assertThat(expectFailure())
                .isEqualTo(
                        new GenerationFailure(
                                GenerationFailure.Kind.NO_CAPACITY,
                                "4 epochs in a row were lost before they gave a result, the last one: model.safetensors is truncated"));
        await("another try", () -> {
            time.timePasses(WAITS.retry());
            return replica.isForming(5);
        });
    }

    @Test
    void waitsForCapacityAsLongAsItMayAndThenSaysWhatIsMissingAtOnce() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.refuse("needs 4 compute slots, there are 2");
        AtomicLong now = new AtomicLong();
        SchedulerSettings settings = settings(1, 1).withWaits(WAITS.withCapacity(Duration.ofSeconds(30)));
        ActorRef<Scheduler.Command> scheduler = kit.spawn(Scheduler.create(settings, replica.placement(), now::get));
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        for (int second = 0; second < 5; second++) {
            stats(scheduler);
            time.timePasses(WAITS.retry());
        }
        generation.expectNoMessage(Duration.ZERO);
        assertThat(stats(scheduler).generations()).isEqualTo(1);

        now.set(Duration.ofSeconds(30).toNanos());
        await("the end of patience", () -> {
            time.timePasses(WAITS.retry());
            return stats(scheduler).generations() == 0;
        });

        GenerationFailure missing =
                new GenerationFailure(GenerationFailure.Kind.NO_CAPACITY, "needs 4 compute slots, there are 2");
        assertThat(expectFailure()).isEqualTo(missing);
        scheduler.tell(new Scheduler.Submit(submission("b", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        assertThat(expectFailure()).isEqualTo(missing);
    }

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

    @ParameterizedTest(name = "which get no rank then: {0}")
    @ValueSource(booleans = {false, true})
    void blamesNoRequestForConnectionsBetweenNodesThatLive(boolean moves) {
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
            if (moves) {
                replica.moveToOtherNodes();
            }
            replica.loseLink(0, 0, "the connection was reset");
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
            replica.loseLink(0, 0, "closed by the other side");
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
    void ignoresTheLossOfAnEarlierEpoch() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serveOne(scheduler, "warm");

        replica.lose(Epoch.NONE, 0, 0, "old news");

        assertThat(stats(scheduler).epochsLost()).isZero();
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

    private void serveOne(ActorRef<Scheduler.Command> scheduler, String id) {
        TestProbe<Scheduler.Update> probe = kit.createTestProbe();
        Submission submission = submission(id, 3, 2);
        scheduler.tell(new Scheduler.Submit(submission, probe.getRef()));
        probe.expectMessageClass(Scheduler.Accepted.class);
        Scheduler.Advanced first = probe.expectMessageClass(Scheduler.Advanced.class);
        Scheduler.Advanced second = probe.expectMessageClass(Scheduler.Advanced.class);
        assertThat(tokens(List.of(first, second), 0)).isEqualTo(CountingReplica.completion(submission, 0));
    }
}
