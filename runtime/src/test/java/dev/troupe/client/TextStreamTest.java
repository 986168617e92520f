package dev.troupe.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.generation.Generation;
import dev.troupe.generation.GenerationEvent;
import dev.troupe.generation.LogEntry;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.FishingOutcomes;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TextStreamTest {
    private static final GenerationId ID = new GenerationId("g", "slot");

    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config());
    private final ManualTime time = ManualTime.get(kit.system());
    private final TestProbe<Generation.Command> generation = kit.createTestProbe();
    private final TestProbe<StreamReader.Answer> client = kit.createTestProbe();
    private final FrontEnd.Setup setup = new FrontEnd.Setup(
            "m",
            null,
            Ints.of(),
            new FrontEnd.Generations() {
                @Override
                public RecipientRef<Generation.Command> begin() {
                    return generation.getRef();
                }

                @Override
                public RecipientRef<Generation.Command> resume(GenerationId original) {
                    return generation.getRef();
                }
            },
            Duration.ofSeconds(30),
            () -> List.of("b:1"),
            _ -> {});

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private ActorRef<TextStream.Command> stream() {
        TextStream.Work work = TextStream.Work.of(TextRequest.logitsOf(Ints.of(1, 2)), setup);
        ActorRef<TextStream.Command> stream =
                kit.spawn(TextStream.create(work, generation.getRef(), setup.frontEnds(), client.getRef()));
        client.expectMessage(new StreamReader.Opened(stream));
        return stream;
    }

    private ActorRef<TextStream.Command> resumed(Ints seen, long entries) {
        TextRequest request = new TextRequest(
                new TextRequest.Tokens(Ints.of(1, 2)),
                9,
                SamplingParameters.greedy(),
                seen.size(),
                List.of(),
                true,
                false,
                Duration.ofMinutes(1),
                "");
        TextStream.Work work = TextStream.Work.of(request, setup);
        ActorRef<TextStream.Command> stream =
                kit.spawn(TextStream.resume(work, generation.getRef(), ID, seen, setup.frontEnds(), client.getRef()));
        client.expectMessage(new StreamReader.Opened(stream));
        generation
                .expectMessageClass(Generation.Resume.class)
                .replyTo()
                .tell(new Generation.Resumed(ID, entries, generation.getRef()));
        return stream;
    }

    private static LogEntry entry(int choice, int position) {
        return new LogEntry.Computed(new Epoch(1, 1), new Output.Token(choice, position, 7, 0, Float.NaN, List.of()));
    }

    private void expectToken(long number, int position) {
        StreamReader.Event event = client.expectMessageClass(StreamReader.Event.class);
        assertThat(event.number()).isEqualTo(number);
        assertThat(event.event())
                .isInstanceOfSatisfying(
                        TextEvent.Token.class,
                        token -> assertThat(token.position()).isEqualTo(position));
    }

    @Test
    void failsWhenItsGenerationDoesNotStart() {
        ActorRef<TextStream.Command> stream = stream();
        generation.expectMessageClass(Generation.Start.class);

        time.timePasses(Duration.ofSeconds(15));

        GenerationFailure failure =
                client.expectMessageClass(StreamReader.Failed.class).failure();
        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.NO_CAPACITY);
        assertThat(failure.reason()).contains("no generation was started", "within 15 s", "send the request again");
        generation.expectMessage(Generation.Cancel.INSTANCE);
        client.expectTerminated(stream);
    }

    @Test
    void goesOnWhenItsGenerationHasStarted() {
        ActorRef<TextStream.Command> stream = stream();
        Generation.Start start = generation.expectMessageClass(Generation.Start.class);
        start.replyTo().tell(new Generation.Started(ID, generation.getRef()));
        generation.expectMessageClass(Generation.Subscribe.class);

        time.timePasses(Duration.ofSeconds(15));
        stream.tell(new TextStream.Demand(1));

        assertThat(client.expectMessageClass(StreamReader.Event.class).event()).isInstanceOf(TextEvent.Started.class);
    }

    @Test
    void givesOnlyTheEventsThatTheClientHasNotSeen() {
        ActorRef<TextStream.Command> stream = resumed(Ints.of(2), 3);
        Generation.Subscribe subscribe = generation.expectMessageClass(Generation.Subscribe.class);
        assertThat(subscribe.from()).isZero();
        stream.tell(new TextStream.Demand(5));

        subscribe
                .subscriber()
                .tell(new GenerationEvent.Entries(ID, 0, List.of(entry(0, 2), entry(0, 3), entry(0, 4), entry(0, 5))));

        // The first event was that it started; two tokens have been seen.
        expectToken(3, 4);
        expectToken(4, 5);
        stream.tell(new TextStream.Ping());
        client.expectMessage(new StreamReader.Pong(5, List.of("b:1")));
    }

    @Test
    void goesOnWithOneChoiceWhenTheCopyLacksWhatTheClientHas() {
        ActorRef<TextStream.Command> stream = resumed(Ints.of(2), 1);
        Generation.Subscribe subscribe = generation.expectMessageClass(Generation.Subscribe.class);
        stream.tell(new TextStream.Demand(5));

        subscribe.subscriber().tell(new GenerationEvent.Entries(ID, 0, List.of(entry(0, 2))));
        generation.expectMessageClass(Generation.Demand.class);
        subscribe.subscriber().tell(new GenerationEvent.Entries(ID, 1, List.of(entry(0, 3), entry(0, 4))));

        expectToken(3, 4);
    }

    /** Their order may be another one: what counts is which events of each choice the client has. */
    @Test
    void goesOnWithSeveralChoicesInAnotherOrder() {
        ActorRef<TextStream.Command> stream = resumed(Ints.of(2, 1), 1);
        Generation.Subscribe subscribe = generation.expectMessageClass(Generation.Subscribe.class);
        stream.tell(new TextStream.Demand(9));

        subscribe
                .subscriber()
                .tell(new GenerationEvent.Entries(
                        ID, 0, List.of(entry(1, 2), entry(1, 3), entry(0, 2), entry(0, 3), entry(0, 4))));

        expectToken(4, 3);
        expectToken(5, 4);
    }

    @Test
    void repeatsTheEndWhenItIsAskedBecauseItMayHaveBeenLost() {
        ActorRef<TextStream.Command> stream = resumed(Ints.of(1), 1);
        Generation.Subscribe subscribe = generation.expectMessageClass(Generation.Subscribe.class);
        stream.tell(new TextStream.Demand(5));
        subscribe.subscriber().tell(new GenerationEvent.Entries(ID, 0, List.of(entry(0, 2))));
        subscribe.subscriber().tell(new GenerationEvent.Ended(ID, 2, 1, 1));
        client.expectMessage(new StreamReader.Completed(2, new TextEvent.Usage(2, 1, 1)));

        stream.tell(new TextStream.Ping());

        client.expectMessage(new StreamReader.Pong(2, List.of("b:1")));
        client.expectMessage(new StreamReader.Completed(2, new TextEvent.Usage(2, 1, 1)));
        stream.tell(new TextStream.Cancel());
        generation.fishForMessage(
                Duration.ofSeconds(30),
                message -> message == Generation.Cancel.INSTANCE
                        ? FishingOutcomes.complete()
                        : FishingOutcomes.continueAndIgnore());
        client.expectTerminated(stream);
    }

    @Test
    void endsItsGenerationUnlessThatIsLeftToOthers() {
        ActorRef<TextStream.Command> cancelled = stream();
        generation.expectMessageClass(Generation.Start.class);
        cancelled.tell(new TextStream.Cancel());
        generation.expectMessage(Generation.Cancel.INSTANCE);
        ActorRef<TextStream.Command> left = stream();
        generation.expectMessageClass(Generation.Start.class);

        left.tell(new TextStream.Leave());

        client.expectTerminated(left);
        generation.expectNoMessage(Duration.ofMillis(50));
    }
}
