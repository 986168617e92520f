package dev.troupe.node;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.watch.LaneLosses;
import dev.troupe.config.NodeConfig;
import dev.troupe.config.WireConfig;
import dev.troupe.stage.LaneRegistry;
import dev.troupe.stage.TensorRoad;
import dev.troupe.wire.ArteryRoad;
import dev.troupe.wire.kryo.KryoSerializer;
import dev.troupe.wire.lane.LaneAddress;
import dev.troupe.wire.lane.LaneSettings;
import dev.troupe.wire.lane.LaneStatistics;
import dev.troupe.wire.lane.TensorLane;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorSystem;
import org.jspecify.annotations.Nullable;

/** How a node's floats come and go: over its tensor lane, or over Artery. */
public final class NodeRoads implements AutoCloseable {
    private static final Duration REDIAL = Duration.ofMillis(200);
    private static final int STRANGERS = 128;

    private final @Nullable TensorLane lane;
    private final TensorRoad road;

    private NodeRoads(NodeConfig config, ActorSystem<?> system, @Nullable TlsIdentity tls) throws IOException {
        if (config.wire().tensors() == WireConfig.Road.ARTERY) {
            lane = null;
            road = ArteryRoad.of(system);
        } else {
            lane = TensorLane.open(
                    settings(config, Incarnation.self(system).uid()),
                    tls,
                    KryoSerializer.of(system).codec(),
                    new LaneLosses(system));
            road = lane;
        }
    }

    /**
     * Opens the road that {@code config} asks for.
     *
     * @throws IOException if the lane's port cannot be bound, or the files of its identity are not right
     */
    public static NodeRoads open(NodeConfig config, ActorSystem<?> system) throws IOException {
        Optional<WireConfig.Tls> tls = config.wire().tls();
        return new NodeRoads(
                config, system, tls.isPresent() ? TlsIdentity.load(tls.get().files()) : null);
    }

    private static LaneSettings settings(NodeConfig config, long incarnation) {
        WireConfig wire = config.wire();
        return new LaneSettings(
                config.node().bindHost(),
                wire.bindLanePort(),
                config.node().host(),
                wire.lanePort(),
                incarnation,
                wire.frameBytes(),
                wire.queueBytes(),
                wire.earlyBytes(),
                wire.handshake(),
                REDIAL,
                STRANGERS);
    }

    /** Where this node listens for tensors; empty where there is no lane. */
    public String address() {
        return lane == null ? "" : lane.address().toString();
    }

    /**
     * Makes sure that there are connections to these lanes: the end of a process is seen at once by the end of its
     * connections, also by nodes that exchange no tensors with it.
     */
    void connect(List<String> lanes) {
        if (lane != null) {
            lanes.forEach(peer -> lane.connect(LaneAddress.parse(peer)));
        }
    }

    /** Sends floats. */
    public TensorRoad road() {
        return road;
    }

    /** Where shards say that they live here. */
    public LaneRegistry registry() {
        return lane == null ? LaneRegistry.NONE : lane;
    }

    /** What the lane has done; empty where there is none. */
    public Optional<LaneStatistics> statistics() {
        return Optional.ofNullable(lane).map(TensorLane::statistics);
    }

    /** Closes all connections of the lane; returns how many there were. */
    public int reset() {
        return lane == null ? 0 : lane.reset();
    }

    @Override
    public void close() {
        if (lane != null) {
            lane.close();
        }
    }
}
