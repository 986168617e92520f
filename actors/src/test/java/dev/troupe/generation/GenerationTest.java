package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.Submission;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GenerationTest {
    private static final GenerationId ID = new GenerationId("g1", "test");
    private static final Epoch EPOCH = new Epoch(2, 1);
    private static final Generation.Settings SETTINGS =
            new Generation.Settings(Duration.ofSeconds(5), Duration.ofSeconds(8), Duration.ofSeconds(20), 3);
    private static final GenerationRequest REQUEST =
            GenerationRequest.of("m", Ints.of(1, 2)).maxTokens(5).traceId("t").build();

    /** Busy build machines need more than the kit's three seconds. */
    private static final Config PATIENT =
            ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s");

    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config().withFallback(PATIENT));
    private final ManualTime time = ManualTime.get(kit.system());
    private final TestProbe<Scheduler.Command> scheduler = kit.createTestProbe();
    private final TestProbe<GenerationEvent> subscriber = kit.createTestProbe();
    private final TestProbe<Generation.Started> started = kit.createTestProbe();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private ActorRef<Generation.Command> generation(TokenLog.Factory logs) {
        return kit.spawn(Generation.create(ID, Router.single("m", scheduler.getRef()), logs, SETTINGS));
    }

    private ActorRef<Scheduler.Update> start(ActorRef<Generation.Command> generation, GenerationRequest request) {
        generation.tell(new Generation.Start(request, started.getRef()));
        started.expectMessage(new Generation.Started(ID, generation));
        return scheduler.expectMessageClass(Scheduler.Submit.class).replyTo();
    }

    private void subscribe(ActorRef<Generation.Command> generation, long subscription, long from, int demand) {
        generation.tell(new Generation.Subscribe(subscription, from, demand, subscriber.getRef()));
    }

    private static Scheduler.Advanced advanced(Epoch epoch, Output... outputs) {
        return new Scheduler.Advanced(ID, epoch, List.of(outputs));
    }

    private static Output token(int position, int token) {
        return new Output.Token(0, position, token, 0, Float.NaN, List.of());
    }

    private static LogEntry logged(int position, int token) {
        return new LogEntry.Computed(EPOCH, token(position, token));
    }

    private static GenerationEvent entries(long first, LogEntry... entries) {
        return new GenerationEvent.Entries(ID, first, List.of(entries));
    }

    private Generation.Status status(ActorRef<Generation.Command> generation) {
        TestProbe<Generation.Status> probe = kit.createTestProbe();
        generation.tell(new Generation.GetStatus(probe.getRef()));
        return probe.receiveMessage();
    }

    private GenerationFailure expectFailure() {
        GenerationEvent event = subscriber.receiveMessage();
        while (event instanceof GenerationEvent.Entries) {
            event = subscriber.receiveMessage();
        }
        assertThat(event).isInstanceOf(GenerationEvent.Failed.class);
        return ((GenerationEvent.Failed) event).failure();
    }

    @Test
    void tellsWhatIsLoggedAndEndsWithItsSubscriber() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);
        for (int i = 0; i < 5; i++) {
            updates.tell(advanced(EPOCH, token(2 + i, 10 + i)));
        }

        for (int i = 0; i < 4; i++) {
            subscriber.expectMessage(entries(i, logged(2 + i, 10 + i)));
        }
        subscriber.expectMessage(entries(4, logged(6, 14), new LogEntry.Finished(0, 5, FinishReason.LENGTH)));
        subscriber.expectMessage(new GenerationEvent.Ended(ID, 2, 5, 0));
        subscriber.expectTerminated(generation);
    }

    @Test
    void sendsNoMoreEventsThanAreDemandedAndThenAsMuchAsIsThere() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 1);
        for (int i = 0; i < 4; i++) {
            updates.tell(advanced(EPOCH, token(2 + i, 10 + i)));
        }
        subscriber.expectMessage(entries(0, logged(2, 10)));
        assertThat(status(generation).entries()).isEqualTo(4);
        subscriber.expectNoMessage(Duration.ZERO);

        generation.tell(new Generation.Demand(77, 5));
        generation.tell(new Generation.Demand(1, 1));

        subscriber.expectMessage(entries(1, logged(3, 11), logged(4, 12), logged(5, 13)));
        updates.tell(advanced(EPOCH, token(6, 14)));
        assertThat(status(generation).finished()).isTrue();
        subscriber.expectNoMessage(Duration.ZERO);
    }

    @Test
    void resumesByPositionForTheNewestSubscriber() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);
        updates.tell(advanced(EPOCH, token(2, 10), token(3, 11)));
        subscriber.expectMessage(entries(0, logged(2, 10), logged(3, 11)));
        TestProbe<GenerationEvent> second = kit.createTestProbe();

        generation.tell(new Generation.Subscribe(2, 1, 9, second.getRef()));

        second.expectMessage(entries(1, logged(3, 11)));
        assertThat(expectFailure().kind()).isEqualTo(GenerationFailure.Kind.SUPERSEDED);
        generation.tell(new Generation.Unsubscribe(1));
        updates.tell(advanced(EPOCH, token(4, 12)));
        second.expectMessage(entries(2, logged(4, 12)));
    }

    @Test
    void livesOnWithoutASubscriberForAsLongAsTheRequestSays() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        GenerationRequest lingering = GenerationRequest.of("m", Ints.of(1, 2))
                .maxTokens(1)
                .linger(Duration.ofSeconds(60))
                .build();
        ActorRef<Scheduler.Update> updates = start(generation, lingering);
        subscribe(generation, 1, 0, 9);
        generation.tell(new Generation.Unsubscribe(1));
        updates.tell(advanced(EPOCH, token(2, 10)));
        assertThat(status(generation).finished()).isTrue();

        time.timePasses(Duration.ofSeconds(59));
        subscribe(generation, 2, 0, 9);

        subscriber.expectMessage(entries(0, logged(2, 10), new LogEntry.Finished(0, 1, FinishReason.LENGTH)));
        subscriber.expectMessage(new GenerationEvent.Ended(ID, 2, 1, 0));
        time.timePasses(Duration.ofSeconds(59));
        assertThat(status(generation).finished()).isTrue();
        time.timePasses(Duration.ofSeconds(1));
        subscriber.expectTerminated(generation);
    }

    @Test
    void isCancelledWhenItsSubscriberEnds() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);

        subscriber.stop();

        scheduler.expectMessage(new Scheduler.Cancel(ID));
        scheduler.expectTerminated(generation);
    }

    @Test
    void isCancelledWhenNobodySubscribesInTime() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        for (int i = 0; i < 10; i++) {
            time.timePasses(Duration.ofSeconds(2));
            updates.tell(new Scheduler.Accepted(ID, scheduler.getRef()));
        }

        Scheduler.Command command = scheduler.receiveMessage();
        while (command instanceof Scheduler.Probe) {
            command = scheduler.receiveMessage();
        }
        assertThat(command).isEqualTo(new Scheduler.Cancel(ID));
        scheduler.expectTerminated(generation);
    }

    @Test
    void saysSoWhenItIsCancelled() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        updates.tell(advanced(EPOCH, token(2, 10)));
        subscribe(generation, 1, 0, 9);

        generation.tell(Generation.Cancel.INSTANCE);

        scheduler.expectMessage(new Scheduler.Cancel(ID));
        assertThat(subscriber.receiveMessage()).isEqualTo(entries(0, logged(2, 10)));
        subscriber.expectMessage(entries(1, new LogEntry.Finished(0, 1, FinishReason.CANCELLED)));
        subscriber.expectMessage(new GenerationEvent.Ended(ID, 2, 1, 0));
    }

    @Test
    void endsAChoiceWhereItsConsumerFoundAStop() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        updates.tell(advanced(EPOCH, token(2, 10), token(3, 11), token(4, 12)));

        generation.tell(new Generation.End(0, 2));
        updates.tell(advanced(EPOCH, token(5, 13)));
        subscribe(generation, 1, 3, 9);

        scheduler.expectMessage(new Scheduler.EndChoice(ID, 0));
        subscriber.expectMessage(entries(3, new LogEntry.Finished(0, 2, FinishReason.STOP)));
        subscriber.expectMessage(new GenerationEvent.Ended(ID, 2, 3, 0));
    }

    @Test
    void dropsAndCountsWhatComesFromAnEarlierEpochOrTwice() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        updates.tell(advanced(EPOCH, token(2, 10)));

        updates.tell(advanced(new Epoch(1, 9), token(3, 66)));
        updates.tell(advanced(EPOCH, token(2, 10)));
        updates.tell(advanced(EPOCH.next(4), token(2, 10), token(3, 11)));
        updates.tell(advanced(EPOCH, token(4, 66)));
        subscribe(generation, 1, 1, 9);

        subscriber.expectMessage(entries(1, new LogEntry.Computed(EPOCH.next(4), token(3, 11))));
        assertThat(status(generation)).isEqualTo(new Generation.Status(ID, EPOCH.next(4), 2, false, 2, 2));
    }

    @Test
    void submitsItsSaltAndTellsAtItsEndWhatDidNotHaveToBeComputedWhenItBegan() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        GenerationRequest request = GenerationRequest.of("m", Ints.of(1, 2))
                .maxTokens(2)
                .cacheSalt("tenant")
                .build();
        generation.tell(new Generation.Start(request, started.getRef()));
        Scheduler.Submit submit = scheduler.expectMessageClass(Scheduler.Submit.class);
        subscribe(generation, 1, 0, 9);

        submit.replyTo().tell(new Scheduler.Advanced(ID, EPOCH, List.of(token(2, 10)), 1));
        // Another epoch finds something else.
        submit.replyTo().tell(new Scheduler.Advanced(ID, EPOCH.next(4), List.of(token(3, 11)), 2));

        assertThat(submit.submission().cacheSalt()).isEqualTo("tenant");
        subscriber.expectMessage(entries(0, logged(2, 10)));
        subscriber.expectMessageClass(GenerationEvent.Entries.class);
        subscriber.expectMessage(new GenerationEvent.Ended(ID, 2, 2, 1));
    }

    @Test
    void letsItsSchedulerBeginAgainWhenSomethingWasLostOnTheWay() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);

        updates.tell(advanced(EPOCH, token(2, 10), token(4, 12)));
        updates.tell(advanced(EPOCH, token(5, 13)));

        scheduler.expectMessage(new Scheduler.Cancel(ID));
        Scheduler.Submit again = scheduler.expectMessageClass(Scheduler.Submit.class);
        assertThat(again.submission().choices()).containsExactly(new Submission.Choice(0, Ints.of(10)));
        updates.tell(new Scheduler.Advanced(again.submission().id(), EPOCH, List.of(token(3, 11), token(4, 12))));
        subscriber.expectMessage(entries(0, logged(2, 10)));
        subscriber.expectMessage(entries(1, logged(3, 11), logged(4, 12)));
        scheduler.expectNoMessage(Duration.ZERO);
    }

    @Test
    void passesOnWhyItsSchedulerFailedIt() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);
        GenerationFailure lost = new GenerationFailure(GenerationFailure.Kind.LOST, "node x hosted stage 1 rank 0");

        updates.tell(new Scheduler.Failed(ID, lost));

        assertThat(expectFailure()).isEqualTo(lost);
        subscriber.expectTerminated(generation);
    }

    @Test
    void movesWithItsTokensWhenItsSchedulerDoesNotAnswerForTooLong() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);
        for (int i = 0; i < 6; i++) {
            time.timePasses(Duration.ofSeconds(2));
            Scheduler.Probe probe = scheduler.expectMessageClass(Scheduler.Probe.class);
            probe.replyTo().tell(new Scheduler.Accepted(ID, scheduler.getRef()));
            status(generation);
        }
        updates.tell(advanced(EPOCH, token(2, 10)));
        status(generation);

        time.timePasses(Duration.ofSeconds(6));
        subscriber.expectMessage(entries(0, logged(2, 10)));
        for (int i = 0; i < 3; i++) {
            scheduler.expectMessageClass(Scheduler.Probe.class);
        }
        time.timePasses(Duration.ofSeconds(2));

        scheduler.expectMessage(new Scheduler.Cancel(ID));
        Submission again = scheduler.expectMessageClass(Scheduler.Submit.class).submission();
        assertThat(again.choices()).containsExactly(new Submission.Choice(0, Ints.of(10)));
        assertThat(again.losses()).isEqualTo(1);
    }

    @Test
    void movesToTheNextSchedulerWhenTheNodeOfItsOwnIsLostAndGoesOnWithoutARepeat() {
        TestProbe<Scheduler.Command> next = kit.createTestProbe();
        Router.Way first = new Router.Way("a#1", 1, scheduler.getRef());
        Router.Way second = new Router.Way("b#2", 2, next.getRef());
        AtomicReference<Router.Route> route = new AtomicReference<>(new Router.Found(List.of(first, second)));
        ActorRef<Generation.Command> generation =
                kit.spawn(Generation.create(ID, _ -> route.get(), MemoryTokenLog::open, SETTINGS));
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);
        updates.tell(advanced(EPOCH, token(2, 10), token(3, 11)));
        subscriber.expectMessage(entries(0, logged(2, 10), logged(3, 11)));

        route.set(new Router.Found(List.of(second)));
        time.timePasses(Duration.ofMillis(100));

        Scheduler.Submit moved = next.expectMessageClass(Scheduler.Submit.class);
        assertThat(moved.submission().choices()).containsExactly(new Submission.Choice(0, Ints.of(10, 11)));
        updates.tell(new Scheduler.Failed(
                ID,
                new GenerationFailure(GenerationFailure.Kind.NO_CAPACITY, "a late word of the one that it has left")));
        updates.tell(advanced(EPOCH, token(4, 99)));
        GenerationId now = moved.submission().id();
        updates.tell(new Scheduler.Advanced(now, EPOCH.next(2), List.of(token(4, 12), token(5, 13))));
        assertThat(subscriber.receiveMessage())
                .isEqualTo(entries(
                        2,
                        new LogEntry.Computed(EPOCH.next(2), token(4, 12)),
                        new LogEntry.Computed(EPOCH.next(2), token(5, 13))));
        updates.tell(new Scheduler.Advanced(now, EPOCH, List.of(token(6, 14))));
        assertThat(status(generation).stale()).isEqualTo(3);
    }

    @Test
    void goesToTheSchedulerThatHasTakenOver() {
        TestProbe<Scheduler.Command> second = kit.createTestProbe();
        TestProbe<Scheduler.Command> third = kit.createTestProbe();
        Router.Route route = new Router.Found(List.of(
                new Router.Way("a#1", 1, scheduler.getRef()),
                new Router.Way("b#2", 2, second.getRef()),
                new Router.Way("c#3", 3, third.getRef())));
        ActorRef<Generation.Command> generation =
                kit.spawn(Generation.create(ID, _ -> route, MemoryTokenLog::open, SETTINGS));
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);

        updates.tell(new Scheduler.Released(ID, 3, "epoch e9.3 has superseded e2.1"));
        status(generation);
        time.timePasses(Duration.ofMillis(100));

        assertThat(third.expectMessageClass(Scheduler.Submit.class).submission().losses())
                .isZero();
        second.expectNoMessage(Duration.ZERO);
    }

    @Test
    void failsWhenItLosesOneSchedulerAfterTheOtherWithoutGainingAToken() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        GenerationRequest lingering = GenerationRequest.of("m", Ints.of(1, 2))
                .linger(Duration.ofMinutes(1))
                .build();
        start(generation, lingering);
        subscribe(generation, 1, 0, 9);

        for (int i = 0; i < 4; i++) {
            for (int question = 0; question < 4; question++) {
                time.timePasses(Duration.ofSeconds(2));
                status(generation);
            }
        }

        GenerationFailure failure = expectFailure();
        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.LOST);
        assertThat(failure.reason()).contains("has not answered for 8.0 s", "4 schedulers in a row");
    }

    @Test
    void movesAtOnceWhenItsSchedulerEnds() {
        TestProbe<Scheduler.Command> next = kit.createTestProbe();
        Router.Route route = new Router.Found(
                List.of(new Router.Way("a#1", 1, scheduler.getRef()), new Router.Way("b#2", 2, next.getRef())));
        ActorRef<Generation.Command> generation =
                kit.spawn(Generation.create(ID, _ -> route, MemoryTokenLog::open, SETTINGS));
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        updates.tell(new Scheduler.Accepted(ID, scheduler.getRef()));
        status(generation);

        scheduler.stop();

        next.expectMessageClass(Scheduler.Submit.class);
    }

    @Test
    void failsAtItsDeadlineAndDoesNotWaitForASubscriberThatTakesNothing() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        GenerationRequest hasty = GenerationRequest.of("m", Ints.of(1, 2))
                .deadline(Duration.ofSeconds(1))
                .build();
        start(generation, hasty);
        subscribe(generation, 1, 0, 0);
        status(generation);

        time.timePasses(Duration.ofSeconds(1));

        scheduler.expectMessage(new Scheduler.Cancel(ID));
        assertThat(status(generation).finished()).isTrue();
        time.timePasses(SETTINGS.firstSubscriber());
        subscriber.expectTerminated(generation);
    }

    @Test
    void refusesAModelThatNobodyServes() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        generation.tell(
                new Generation.Start(GenerationRequest.of("other", Ints.of(1)).build(), started.getRef()));
        subscribe(generation, 1, 0, 9);

        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.INVALID, "nobody serves model other; ask for one that is registered"));
    }

    @Test
    void waitsForASchedulerWhileTheClusterForms() {
        AtomicReference<Router.Route> route = new AtomicReference<>(new Router.NotYet("node b is missing"));
        ActorRef<Generation.Command> generation =
                kit.spawn(Generation.create(ID, _ -> route.get(), MemoryTokenLog::open, SETTINGS));
        generation.tell(new Generation.Start(REQUEST, started.getRef()));
        started.expectMessage(new Generation.Started(ID, generation));
        time.timePasses(SETTINGS.schedulerComing().minusSeconds(1));
        assertThat(status(generation).finished()).isFalse();
        scheduler.expectNoMessage(Duration.ZERO);

        route.set(new Router.Found(List.of(new Router.Way("a#1", 1, scheduler.getRef()))));
        time.timePasses(Duration.ofSeconds(1));

        assertThat(scheduler
                        .expectMessageClass(Scheduler.Submit.class)
                        .submission()
                        .id())
                .isEqualTo(ID);
        scheduler.expectNoMessage(Duration.ZERO);
    }

    @Test
    void saysWhatIsMissingWhenNoSchedulerComes() {
        ActorRef<Generation.Command> generation = kit.spawn(
                Generation.create(ID, _ -> new Router.NotYet("node b is missing"), MemoryTokenLog::open, SETTINGS));
        generation.tell(new Generation.Start(REQUEST, started.getRef()));
        subscribe(generation, 1, 0, 9);
        started.receiveMessage();

        time.timePasses(SETTINGS.schedulerComing());

        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.NO_CAPACITY,
                        "model m could not be served within 5.0 s: node b is missing"));
        subscriber.expectTerminated(generation);
    }

    @Test
    void stopsWaitingForASchedulerWhenItIsCancelled() {
        ActorRef<Generation.Command> generation = kit.spawn(
                Generation.create(ID, _ -> new Router.NotYet("node b is missing"), MemoryTokenLog::open, SETTINGS));
        generation.tell(new Generation.Start(REQUEST, started.getRef()));
        started.receiveMessage();
        subscribe(generation, 1, 0, 9);

        generation.tell(Generation.Cancel.INSTANCE);

        subscriber.expectMessage(entries(0, new LogEntry.Finished(0, 0, FinishReason.CANCELLED)));
        subscriber.expectMessage(new GenerationEvent.Ended(ID, 2, 0, 0));
        subscriber.expectTerminated(generation);
    }

    @Test
    void saysThatItIsGoneWhenItNeverBegan() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);

        subscribe(generation, 1, 0, 9);

        assertThat(expectFailure())
                .isEqualTo(
                        new GenerationFailure(
                                GenerationFailure.Kind.GONE,
                                "generation g1@test is not here: it has ended some time ago, or its node has been started anew"));
        subscriber.expectTerminated(generation);
    }

    @Test
    void refusesToResumeBeyondTheLogAndGoesOn() {
        ActorRef<Generation.Command> generation = generation(MemoryTokenLog::open);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);
        TestProbe<GenerationEvent> lost = kit.createTestProbe();

        generation.tell(new Generation.Subscribe(2, 3, 1, lost.getRef()));

        assertThat(lost.expectMessageClass(GenerationEvent.Failed.class).failure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.INVALID,
                        "asked for entry 3 of the log of generation g1@test, expected 0 to 0"));
        updates.tell(advanced(EPOCH, token(2, 10)));
        subscriber.expectMessage(entries(0, logged(2, 10)));
    }

    private static final LogHolders ALONE = holders();

    private static LogHolders holders(LogHolders.Holder... others) {
        return new LogHolders() {
            @Override
            public long self() {
                return 1;
            }

            @Override
            public List<Holder> others() {
                return List.of(others);
            }

            @Override
            public List<Holder> all() {
                return List.of(others);
            }
        };
    }

    private ActorRef<Generation.Command> replicated(LogHolders holders) {
        return kit.spawn(Generation.create(
                ID,
                new Generation.Setup(
                        Router.single("m", scheduler.getRef()),
                        ReplicatedTokenLog.factory(holders, Duration.ofSeconds(5), System::nanoTime),
                        holders,
                        SETTINGS)));
    }

    @Test
    void showsNothingBeforeTheFollowerHasIt() {
        TestProbe<LogKeeper.Command> keeper = kit.createTestProbe();
        OwnerTerm term = OwnerTerm.first(1);
        ActorRef<Generation.Command> generation = replicated(holders(new LogHolders.Holder("b", keeper.getRef())));
        generation.tell(new Generation.Start(REQUEST, started.getRef()));
        LogKeeper.Open open = keeper.expectMessageClass(LogKeeper.Open.class);
        assertThat(open.request()).isEqualTo(REQUEST);
        started.expectNoMessage(Duration.ZERO);

        open.replyTo().tell(new LogKeeper.Holds(ID, term, open.stint(), 0));
        started.expectMessage(new Generation.Started(ID, generation));
        ActorRef<Scheduler.Update> updates =
                scheduler.expectMessageClass(Scheduler.Submit.class).replyTo();
        subscribe(generation, 1, 0, 9);
        updates.tell(advanced(EPOCH, token(2, 10), token(3, 11)));
        LogKeeper.Append append = keeper.expectMessageClass(LogKeeper.Append.class);
        assertThat(append.entries()).containsExactly(logged(2, 10), logged(3, 11));
        assertThat(status(generation).entries()).isEqualTo(2);
        subscriber.expectNoMessage(Duration.ZERO);
        append.replyTo().tell(new LogKeeper.Holds(ID, term, append.stint(), 2));

        subscriber.expectMessage(entries(0, logged(2, 10), logged(3, 11)));
    }

    @Test
    void endsWhenTheFollowerBelongsToAnotherOwner() {
        TestProbe<LogKeeper.Command> keeper = kit.createTestProbe();
        ActorRef<Generation.Command> generation = replicated(holders(new LogHolders.Holder("b", keeper.getRef())));
        generation.tell(new Generation.Start(REQUEST, started.getRef()));
        LogKeeper.Open open = keeper.expectMessageClass(LogKeeper.Open.class);
        open.replyTo().tell(new LogKeeper.Holds(ID, open.term(), open.stint(), 0));
        ActorRef<Scheduler.Update> updates =
                scheduler.expectMessageClass(Scheduler.Submit.class).replyTo();
        subscribe(generation, 1, 0, 9);
        updates.tell(advanced(EPOCH, token(2, 10)));

        keeper.expectMessageClass(LogKeeper.Append.class)
                .replyTo()
                .tell(new LogKeeper.Refused(ID, new OwnerTerm(2, 7)));

        assertThat(expectFailure())
                .isEqualTo(
                        new GenerationFailure(
                                GenerationFailure.Kind.SUPERSEDED,
                                "generation g1@test does not go on here: the owner of term o2.7 has taken it over; resume it at another front end"));
        scheduler.expectMessage(new Scheduler.Cancel(ID));
        subscriber.expectTerminated(generation);
    }

    @Test
    void showsWhatIsLoggedAtOnceWhereThereIsNoOtherNode() {
        ActorRef<Generation.Command> generation = replicated(ALONE);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);

        updates.tell(advanced(EPOCH, token(2, 10)));

        subscriber.expectMessage(entries(0, logged(2, 10)));
    }
}
