package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.Submission;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

class GenerationTest extends GenerationFixture {
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
}
