package dev.troupe.wire.kryo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.StageEvent;
import java.io.NotSerializableException;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.serialization.SerializationExtension;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class KryoSerializerTest {
    private static final Config REMOTE = ConfigFactory.parseString("""
            pekko.actor.provider = cluster
            pekko.remote.artery { canonical.hostname = "127.0.0.1", canonical.port = 0 }
            pekko.cluster.jmx.multi-mbeans-in-same-jvm = on
            pekko.loglevel = WARNING
            """).withFallback(ConfigFactory.load());

    private static final ActorTestKit HERE = ActorTestKit.create("here", REMOTE);
    private static final ActorTestKit THERE = ActorTestKit.create("there", REMOTE);

    @AfterAll
    static void stop() {
        HERE.shutdownTestKit();
        THERE.shutdownTestKit();
    }

    @Test
    void isBoundToEveryMessage() throws NotSerializableException {
        var serialization = SerializationExtension.get(HERE.system());

        for (WireTypes.Entry entry : WireTypes.load().entries()) {
            if (entry.use() == WireTypes.Use.MESSAGE) {
                assertThat(serialization.serializerFor(entry.type()))
                        .as("bind %s or its interface in reference.conf", entry.type())
                        .isInstanceOf(KryoSerializer.class);
            }
        }
    }

    @Test
    void carriesMessagesWithActorReferencesBetweenSystems() {
        TestProbe<PipelineStage.Command> stage = THERE.createTestProbe();
        TestProbe<StageEvent> scheduler = HERE.createTestProbe();
        var form = (PipelineStage.Form) new RandomValues(3, scheduler::getRef).of(PipelineStage.Form.class);

        remote(stage.getRef()).tell(form);
        var arrived = stage.expectMessageClass(PipelineStage.Form.class, Duration.ofSeconds(20));
        arrived.replyTo().tell(new StageEvent.Ready(new Epoch(1, 2), 3));

        assertThat(arrived).isNotSameAs(form);
        assertThat(arrived.plan()).isEqualTo(form.plan());
        scheduler.expectMessage(Duration.ofSeconds(20), new StageEvent.Ready(new Epoch(1, 2), 3));
    }

    private static <T> ActorRef<T> remote(ActorRef<T> ref) {
        return ActorRefResolver.get(HERE.system())
                .resolveActorRef(ActorRefResolver.get(THERE.system()).toSerializationFormat(ref));
    }

    @Test
    void refusesAnotherProtocolAndCounts() {
        KryoSerializer serializer = new KryoSerializer((ExtendedActorSystem) Adapter.toClassic(HERE.system()));
        byte[] bytes = serializer.toBinary(PipelineStage.Stop.INSTANCE);

        for (String manifest : List.of("", "0-00000000", serializer.protocol() + "x")) {
            assertThatThrownBy(() -> serializer.fromBinary(bytes, manifest))
                    .isInstanceOf(NotSerializableException.class)
                    .hasMessageContaining("'" + manifest + "'")
                    .hasMessageContaining("'" + serializer.protocol() + "'");
        }
        assertThatThrownBy(() -> serializer.fromBinary(new byte[] {99}, serializer.protocol()))
                .isInstanceOf(NotSerializableException.class);

        assertThat(serializer.refused()).isEqualTo(4);
    }

    @Test
    void givesADeadReferenceForAPathThatIsNone() throws NotSerializableException {
        KryoSerializer serializer = KryoSerializer.of(HERE.system());
        TestProbe<StageEvent> scheduler = HERE.createTestProbe();
        byte[] bytes = serializer.toBinary(new RandomValues(3, scheduler::getRef).of(PipelineStage.Form.class));
        bytes[indexOf(bytes, "pekko://")] = ' ';

        var form = (PipelineStage.Form) serializer.fromBinary(bytes, serializer.protocol());
        form.replyTo().tell(new StageEvent.Ready(new Epoch(1, 2), 3));

        assertThat(form.replyTo().path().toString()).endsWith("/deadLetters");
        scheduler.expectNoMessage(Duration.ofMillis(100));
    }

    @Test
    void dropsAndCountsWhatALaterVersionSaysAndKeepsTheConnection() {
        ActorTestKit later = ActorTestKit.create(
                "later",
                ConfigFactory.parseString(
                                "pekko.actor.serializers.troupe = \"%s\"".formatted(LaterVersion.class.getName()))
                        .withFallback(REMOTE));
        try {
            KryoSerializer serializer = KryoSerializer.of(HERE.system());
            long before = serializer.refused();
            TestProbe<Object> probe = HERE.createTestProbe();
            ActorRef<Object> fromLater = ActorRefResolver.get(later.system())
                    .resolveActorRef(ActorRefResolver.get(HERE.system()).toSerializationFormat(probe.getRef()));

            fromLater.tell(new StageEvent.Ready(new Epoch(1, 2), 3));
            fromLater.tell("what both know");

            probe.expectMessage(Duration.ofSeconds(20), "what both know");
            assertThat(serializer.refused()).isEqualTo(before + 1);
        } finally {
            later.shutdownTestKit();
        }
    }

    private static int indexOf(byte[] bytes, String text) {
        int at = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf(text);
        assertThat(at).isPositive();
        return at;
    }

    @Test
    void isFoundBySystem() {
        assertThat(KryoSerializer.of(HERE.system()).protocol())
                .isEqualTo(KryoSerializer.of(THERE.system()).protocol());
    }
}
