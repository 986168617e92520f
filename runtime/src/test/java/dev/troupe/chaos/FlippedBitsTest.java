package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.Partial;
import dev.troupe.stage.Peer;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorShard;
import dev.troupe.tensor.Floats;
import dev.troupe.wire.kryo.KryoSerializer;
import dev.troupe.wire.lane.LaneListener;
import dev.troupe.wire.lane.LaneSettings;
import dev.troupe.wire.lane.LaneStatistics;
import dev.troupe.wire.lane.TensorLane;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two tensor lanes in plain text, and between them a link that flips bits. */
@Timeout(180)
class FlippedBitsTest {
    private static final Epoch EPOCH = new Epoch(3, 77);
    private static final ShardId TARGET = new ShardId(EPOCH, 0, 1);
    private static final int ROWS = 4;
    private static final int COLUMNS = 64;
    private static final long FLIP_EVERY = 20_000;
    private static final int ENOUGH_ERRORS = 5;
    private static final int ENOUGH_MESSAGES = 300;

    private final ActorTestKit kit = ActorTestKit.create("flips");
    private final AtomicLong intact = new AtomicLong();
    private final Queue<Partial> changed = new ConcurrentLinkedQueue<>();

    @AfterEach
    void ends() {
        kit.shutdownTestKit();
    }

    private static Partial partial(long step) {
        float[] values = new float[ROWS * COLUMNS];
        for (int i = 0; i < values.length; i++) {
            values[i] = step * 0.25f + i;
        }
        return new Partial(EPOCH, step, 2, 1, 0, 4, 0, new Floats(ROWS, COLUMNS, values));
    }

    private Behavior<TensorShard.Command> checks() {
        return Behaviors.receiveMessage(message -> {
            if (message instanceof Partial partial && partial.equals(partial(partial.step()))) {
                intact.incrementAndGet();
            } else {
                changed.add((Partial) message);
            }
            return Behaviors.same();
        });
    }

    private TensorLane lane(String host, int port, int bindPort) throws IOException {
        LaneSettings usual = LaneSettings.of(host, port, port);
        return TensorLane.open(
                new LaneSettings(
                        host,
                        bindPort,
                        host,
                        port,
                        usual.incarnation(),
                        usual.maxFrame(),
                        usual.queueBytes(),
                        usual.earlyBytes(),
                        usual.handshake(),
                        usual.redial(),
                        usual.maxStrangers()),
                KryoSerializer.of(kit.system()).codec(),
                LaneListener.NONE);
    }

    private static int freePort(InetAddress host) throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, host)) {
            return socket.getLocalPort();
        }
    }

    @Test
    void areRefusedAndNeverReachAShard() throws Exception {
        InetAddress host = InetAddress.ofLiteral("127.0.0.2");
        int bindPort = freePort(host);
        ActorRef<TensorShard.Command> shard = kit.spawn(checks());

        try (TcpProxy proxy = TcpProxy.open(
                        new InetSocketAddress(host, 0),
                        new InetSocketAddress(host, bindPort),
                        LinkFaults.NONE.withFlips(FLIP_EVERY).withSeed(11));
                TensorLane first = lane("127.0.0.1", 0, 0);
                TensorLane second = lane("127.0.0.2", proxy.port(), bindPort)) {
            second.register(TARGET, shard);
            Peer peer = new Peer(
                    TARGET,
                    second.address().toString(),
                    kit.<TensorShard.Command>createTestProbe().getRef());
            long step = 0;
            while (errors(second.statistics()) < ENOUGH_ERRORS || intact.get() < ENOUGH_MESSAGES) {
                first.send(peer, partial(step));
                step++;
                TimeUnit.MILLISECONDS.sleep(1);
            }

            assertThat(changed).isEmpty();
            assertThat(proxy.counts().flips()).isGreaterThanOrEqualTo(errors(second.statistics()));
            assertThat(second.statistics().checksumErrors()).isPositive();
            assertThat(first.statistics().lost()).isPositive();
        }
    }

    /** Connections that were ended because of what came: wrong checksums, bytes that are no frame, greetings that are none. */
    private static long errors(LaneStatistics statistics) {
        return statistics.checksumErrors() + statistics.malformed();
    }
}
