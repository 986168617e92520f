package dev.troupe.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.stage.CandidateRequest;
import dev.troupe.stage.Candidates;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.HandOff;
import dev.troupe.stage.Partial;
import dev.troupe.stage.Peer;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorMessage;
import dev.troupe.stage.TensorRoad;
import dev.troupe.stage.TensorShard;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.wire.kryo.KryoSerializer;
import dev.troupe.wire.kryo.RandomValues;
import dev.troupe.wire.lane.LaneListener;
import dev.troupe.wire.lane.LaneSettings;
import dev.troupe.wire.lane.TensorLane;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** An actor does not know which road a message took. */
class RoadsTest {
    private static final Epoch EPOCH = new Epoch(3, 77);
    private static final Duration SOON = Duration.ofSeconds(30);
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
    void bothRoadsGiveTheSameMessages() throws IOException {
        List<TensorMessage> sent = messages();
        try (TensorLane here = lane(HERE, "127.0.0.1");
                TensorLane there = lane(THERE, "127.0.0.2")) {
            Map<Long, Whole> overLane = whole(exchange(here, there, sent));
            Map<Long, Whole> overArtery = whole(exchange(ArteryRoad.of(HERE.system()), there, sent));

            assertThat(here.statistics().framesSent()).isGreaterThan(sent.size());
            assertThat(whole(sent)).hasSize(sent.size()).allSatisfy((step, message) -> {
                assertThat(message.equals(overArtery.get(step)))
                        .as("step %d over Artery", step)
                        .isTrue();
                assertThat(message.equals(overLane.get(step)))
                        .as("step %d over the lane", step)
                        .isTrue();
            });
        }
    }

    @Test
    void arteryPassesByReferenceInsideANode() {
        TestProbe<TensorShard.Command> shard = HERE.createTestProbe();
        Peer peer = new Peer(new ShardId(EPOCH, 0, 0), "", shard.getRef());
        Partial large = new Partial(EPOCH, 1, 0, 0, 0, 1, 0, new Floats(100, 5000, new float[500_000]));

        ArteryRoad.of(HERE.system()).send(peer, large);

        assertThat(shard.receiveMessage(SOON)).isSameAs(large);
    }

    private static TensorLane lane(ActorTestKit kit, String host) throws IOException {
        return TensorLane.open(
                LaneSettings.of(host, 0, 1), KryoSerializer.of(kit.system()).codec(), LaneListener.NONE);
    }

    /** What a shard over there gets until the last row of everything has come. */
    private static List<TensorMessage> exchange(TensorRoad road, TensorLane there, List<TensorMessage> messages) {
        ShardId id = new ShardId(EPOCH, 0, 1);
        TestProbe<TensorShard.Command> shard = THERE.createTestProbe();
        there.register(id, shard.getRef());
        Peer peer = new Peer(id, there.address().toString(), remote(shard.getRef()));
        messages.forEach(message -> road.send(peer, message));
        List<TensorMessage> received = new ArrayList<>();
        int rows = 0;
        while (rows < messages.stream().mapToInt(RoadsTest::rows).sum()) {
            TensorMessage next = (TensorMessage) shard.receiveMessage(SOON);
            received.add(next);
            rows += rows(next);
        }
        shard.expectNoMessage(Duration.ofMillis(100));
        there.unregister(id);
        return received;
    }

    private static <T> ActorRef<T> remote(ActorRef<T> ref) {
        return ActorRefResolver.get(HERE.system())
                .resolveActorRef(ActorRefResolver.get(THERE.system()).toSerializationFormat(ref));
    }

    private static int rows(TensorMessage message) {
        return switch (message) {
            case Partial partial -> partial.values().rows();
            case HandOff handOff -> handOff.values().rows();
            case Candidates _, CandidateRequest _ -> 1;
        };
    }

    /** A message without its rows, and the rows by number. */
    private record Whole(TensorMessage head, Map<Integer, Floats> rows) {}

    /** Pieces put together again, by step; each step has one message here. */
    private static Map<Long, Whole> whole(List<TensorMessage> messages) {
        Map<Long, Whole> whole = new TreeMap<>();
        for (TensorMessage message : messages) {
            Floats values = switch (message) {
                case Partial partial -> partial.values().floats();
                case HandOff handOff -> handOff.values().floats();
                case Candidates _, CandidateRequest _ -> new Floats(0, 0, new float[0]);
            };
            int firstRow = switch (message) {
                case Partial partial -> partial.firstRow();
                case HandOff handOff -> handOff.firstRow();
                case Candidates _, CandidateRequest _ -> 0;
            };
            Whole step = whole.computeIfAbsent(message.step(), s -> new Whole(head(message), new TreeMap<>()));
            assertThat(head(message).equals(step.head()))
                    .as("head of step %d", message.step())
                    .isTrue();
            for (int row = 0; row < values.rows(); row++) {
                assertThat(step.rows().put(firstRow + row, values.slice(row, row + 1)))
                        .as("row %d of step %d comes once", firstRow + row, message.step())
                        .isNull();
            }
        }
        return whole;
    }

    private static TensorMessage head(TensorMessage message) {
        return switch (message) {
            case Partial p ->
                new Partial(
                        p.epoch(),
                        p.step(),
                        p.exchange(),
                        p.fromRank(),
                        p.fromGroup(),
                        p.toGroup(),
                        0,
                        p.values().floats().slice(0, 0));
            case HandOff h ->
                new HandOff(
                        h.batch(),
                        h.failedTokens(),
                        h.work(),
                        0,
                        h.values().floats().slice(0, 0));
            case Candidates _, CandidateRequest _ -> message;
        };
    }

    private static List<TensorMessage> messages() {
        RandomValues values = new RandomValues(6, () -> HERE.system().deadLetters());
        List<TensorMessage> messages = new ArrayList<>();
        for (int step = 1; step <= 20; step++) {
            int rows = step % 5 == 0 ? 300 : 1; // 300 rows of 2048: 2.4 MB, ten pieces
            Floats floats = values.floats(rows, 2048);
            HandOff any = (HandOff) values.of(HandOff.class);
            Candidates candidates = (Candidates) values.of(Candidates.class);
            messages.add(
                    switch (step % 4) {
                        case 0, 1 -> new Partial(EPOCH, step, 2, 1, 0, 4, 7, floats);
                        case 2 ->
                            new HandOff(
                                    new dev.troupe.stage.StepBatch(
                                            EPOCH,
                                            step,
                                            any.batch().entries(),
                                            any.batch().released(),
                                            0),
                                    any.failedTokens(),
                                    any.work(),
                                    3,
                                    floats);
                        default ->
                            step % 8 == 3
                                    ? new CandidateRequest(EPOCH, step, 1, Ints.of(0), Ints.of(64))
                                    : new Candidates(
                                            EPOCH,
                                            step,
                                            1,
                                            0,
                                            candidates.answers(),
                                            candidates.failedTokens(),
                                            candidates.deferred());
                    });
        }
        return messages;
    }
}
