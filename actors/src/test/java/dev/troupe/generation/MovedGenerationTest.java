package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.Submission;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

/** A generation goes on with another scheduler. */
class MovedGenerationTest extends GenerationFixture {
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
}
