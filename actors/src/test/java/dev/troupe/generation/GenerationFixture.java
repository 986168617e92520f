package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;

/** One generation between a scheduler and a subscriber that tests play. */
abstract class GenerationFixture {
    static final GenerationId ID = new GenerationId("g1", "test");
    static final Epoch EPOCH = new Epoch(2, 1);
    static final Generation.Settings SETTINGS =
            new Generation.Settings(Duration.ofSeconds(5), Duration.ofSeconds(8), Duration.ofSeconds(20), 3);
    static final GenerationRequest REQUEST =
            GenerationRequest.of("m", Ints.of(1, 2)).maxTokens(5).traceId("t").build();

    /** Busy build machines need more than the kit's three seconds. */
    static final Config PATIENT = ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s");

    final ActorTestKit kit = ActorTestKit.create(ManualTime.config().withFallback(PATIENT));
    final ManualTime time = ManualTime.get(kit.system());
    final TestProbe<Scheduler.Command> scheduler = kit.createTestProbe();
    final TestProbe<GenerationEvent> subscriber = kit.createTestProbe();
    final TestProbe<Generation.Started> started = kit.createTestProbe();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    ActorRef<Generation.Command> generation(TokenLog.Factory logs) {
        return kit.spawn(Generation.create(ID, Router.single("m", scheduler.getRef()), logs, SETTINGS));
    }

    ActorRef<Scheduler.Update> start(ActorRef<Generation.Command> generation, GenerationRequest request) {
        generation.tell(new Generation.Start(request, started.getRef()));
        started.expectMessage(new Generation.Started(ID, generation));
        return scheduler.expectMessageClass(Scheduler.Submit.class).replyTo();
    }

    void subscribe(ActorRef<Generation.Command> generation, long subscription, long from, int demand) {
        generation.tell(new Generation.Subscribe(subscription, from, demand, subscriber.getRef()));
    }

    static Scheduler.Advanced advanced(Epoch epoch, Output... outputs) {
        return new Scheduler.Advanced(ID, epoch, List.of(outputs));
    }

    static Output token(int position, int token) {
        return new Output.Token(0, position, token, 0, Float.NaN, List.of());
    }

    static LogEntry logged(int position, int token) {
        return new LogEntry.Computed(EPOCH, token(position, token));
    }

    static GenerationEvent entries(long first, LogEntry... entries) {
        return new GenerationEvent.Entries(ID, first, List.of(entries));
    }

    Generation.Status status(ActorRef<Generation.Command> generation) {
        TestProbe<Generation.Status> probe = kit.createTestProbe();
        generation.tell(new Generation.GetStatus(probe.getRef()));
        return probe.receiveMessage();
    }

    GenerationFailure expectFailure() {
        GenerationEvent event = subscriber.receiveMessage();
        while (event instanceof GenerationEvent.Entries) {
            event = subscriber.receiveMessage();
        }
        assertThat(event).isInstanceOf(GenerationEvent.Failed.class);
        return ((GenerationEvent.Failed) event).failure();
    }
}
