package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.Optional;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CancellationTest {
    private static final GenerationId ID = new GenerationId("g", "a");
    private static final GenerationId HERE = new GenerationId("g", "b");
    private static final LogKeeper.Held HELD =
            new LogKeeper.Held(ID, GenerationRequest.of("m", Ints.of(1)).build(), false);

    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config()
            .withFallback(ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s")));
    private final TestProbe<Generation.Command> generation = kit.createTestProbe();
    private final TestProbe<Generation.Command> owner = kit.createTestProbe();
    private final TestProbe<Cancellation.Outcome> client = kit.createTestProbe();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private Generation.Resume begin() {
        kit.spawn(Cancellation.create(generation.getRef(), HELD, client.getRef(), outcome -> outcome));
        Generation.Resume asked = generation.expectMessageClass(Generation.Resume.class);
        assertThat(asked.original()).isEqualTo(ID);
        assertThat(asked.request()).isEqualTo(HELD.request());
        return asked;
    }

    private void takenOver(boolean finished) {
        begin().replyTo().tell(new Generation.Resumed(HERE, 3, owner.getRef()));
        owner.expectMessageClass(Generation.GetStatus.class)
                .replyTo()
                .tell(new Generation.Status(HERE, Epoch.NONE, 3, finished, 0, 0));
    }

    @Test
    void endsWhatRunsOnceItIsItsOwn() {
        takenOver(false);

        owner.expectMessage(Generation.Cancel.INSTANCE);
        client.expectMessage(new Cancellation.Outcome(true, Optional.empty()));
    }

    @Test
    void leavesWhatHasEndedAsItIs() {
        takenOver(true);

        client.expectMessage(new Cancellation.Outcome(false, Optional.empty()));
        owner.expectNoMessage(Duration.ofMillis(50));
    }

    @Test
    void tellsWhyItCouldNotBeTakenOver() {
        GenerationFailure gone = new GenerationFailure(GenerationFailure.Kind.GONE, "not here");

        begin().replyTo().tell(new Generation.NotResumed(HERE, gone));

        client.expectMessage(new Cancellation.Outcome(false, Optional.of(gone)));
    }

    @Test
    void endsWhenNothingIsHeardOfTheGeneration() {
        ActorRef<?> cancellation =
                kit.spawn(Cancellation.create(generation.getRef(), HELD, client.getRef(), outcome -> outcome));
        generation.expectMessageClass(Generation.Resume.class);

        ManualTime.get(kit.system()).timePasses(Duration.ofSeconds(15));

        client.expectTerminated(cancellation);
        client.expectNoMessage(Duration.ofMillis(50));
    }
}
