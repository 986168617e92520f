package dev.troupe.wire.lane;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.Partial;
import dev.troupe.stage.Peer;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorShard;
import dev.troupe.tensor.Floats;
import dev.troupe.wire.kryo.FakeRefs;
import dev.troupe.wire.kryo.WireCodec;
import dev.troupe.wire.kryo.WireTypes;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** Lanes on loopback addresses, probes as shards, and what a test needs to say about them. */
final class LaneFixture implements AutoCloseable {
    static final Duration SOON = Duration.ofSeconds(20);
    static final Epoch EPOCH = new Epoch(3, 77);

    final ActorTestKit kit = ActorTestKit.create("lanes");
    final WireCodec codec = new WireCodec(WireTypes.load(), new FakeRefs());
    private final List<TensorLane> lanes = new ArrayList<>();

    /** What a lane's listener has heard. */
    static final class Heard implements LaneListener {
        final List<String> lost = new CopyOnWriteArrayList<>();
        final List<String> connected = new CopyOnWriteArrayList<>();

        @Override
        public void connected(LaneAddress peer, long incarnation) {
            connected.add(peer + "#" + incarnation);
        }

        @Override
        public void lost(LaneAddress peer, long incarnation, String reason) {
            lost.add(peer + "#" + incarnation + ": " + reason);
        }
    }

    TensorLane open(LaneSettings settings, LaneListener listener) {
        return open(settings, null, listener);
    }

    TensorLane open(LaneSettings settings, @Nullable TlsIdentity tls, LaneListener listener) {
        try {
            TensorLane lane = TensorLane.open(settings, tls, codec, listener);
            lanes.add(lane);
            return lane;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    TensorLane open(String host, long incarnation) {
        return open(LaneSettings.of(host, 0, incarnation), LaneListener.NONE);
    }

    /** A shard of {@code lane}'s node with rank {@code rank}, not yet registered. */
    Shard shard(TensorLane lane, int rank) {
        ShardId id = new ShardId(EPOCH, 0, rank);
        TestProbe<TensorShard.Command> probe = kit.createTestProbe();
        TestProbe<TensorShard.Command> never = kit.createTestProbe();
        // Other nodes know it under a reference that must not be used: the lane is the road.
        return new Shard(id, probe, new Peer(id, lane.address().toString(), never.getRef()), never);
    }

    Shard registered(TensorLane lane, int rank) {
        Shard shard = shard(lane, rank);
        lane.register(shard.id, shard.probe.getRef());
        return shard;
    }

    ActorRef<TensorShard.Command> probeRef() {
        return kit.<TensorShard.Command>createTestProbe().getRef();
    }

    record Shard(ShardId id, TestProbe<TensorShard.Command> probe, Peer peer, TestProbe<TensorShard.Command> never) {
        void expects(TensorShard.Command message) {
            probe.expectMessage(SOON, message);
        }
    }

    static Partial partial(long step, int rows, int columns) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = step + i;
        }
        return new Partial(EPOCH, step, 2, 1, 0, 4, 0, new Floats(rows, columns, values));
    }

    static void eventually(String what, BooleanSupplier holds) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError("not within " + SOON + ": " + what);
            }
            try {
                Thread.sleep(5);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Override
    public void close() {
        lanes.forEach(TensorLane::close);
        kit.shutdownTestKit();
    }
}
