package dev.troupe.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.generation.Generation;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TextStreamTest {
    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config());
    private final ManualTime time = ManualTime.get(kit.system());
    private final TestProbe<Generation.Command> generation = kit.createTestProbe();
    private final TestProbe<StreamReader.Message> client = kit.createTestProbe();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private ActorRef<TextStream.Command> stream() {
        FrontEnd.Setup setup = new FrontEnd.Setup("m", null, Ints.of(), generation::getRef, _ -> {});
        TextStream.Work work = TextStream.Work.of(TextRequest.logitsOf(Ints.of(1, 2)), setup);
        ActorRef<TextStream.Command> stream = kit.spawn(TextStream.create(work, generation.getRef(), client.getRef()));
        client.expectMessage(new StreamReader.Opened(stream));
        return stream;
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
        start.replyTo().tell(new Generation.Started(new GenerationId("g", "slot"), generation.getRef()));
        generation.expectMessageClass(Generation.Subscribe.class);

        time.timePasses(Duration.ofSeconds(15));
        stream.tell(new TextStream.Demand(1));

        assertThat(client.expectMessageClass(StreamReader.Event.class).event()).isInstanceOf(TextEvent.Started.class);
    }
}
