package dev.troupe.bench;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.NodeRoads;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.Peer;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorRoad;
import dev.troupe.stage.TensorShard;
import dev.troupe.wire.ArteryRoad;
import java.io.IOException;
import java.util.Locale;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** One of the two processes: both roads, and one rank on each. */
final class ExchangeSide implements AutoCloseable {
    private static final Epoch EPOCH = new Epoch(1, 1);

    private final ActorSystem<Void> system;
    private final NodeRoads roads;
    private final ArteryRoad artery;
    private final int rank;

    /**
     * @param rank 0 asks, 1 answers
     * @param config of a node whose tensors ride the lane
     */
    ExchangeSide(int rank, NodeConfig config) throws IOException {
        this.rank = rank;
        this.system = ActorSystem.create(Behaviors.empty(), NodeConfig.SYSTEM, config.pekko());
        this.roads = NodeRoads.open(config, system);
        this.artery = ArteryRoad.of(system);
    }

    /** Starts this side's rank for {@code road}; it can be reached from the other side from now on. */
    ActorRef<TensorShard.Command> start(Road road, Behavior<TensorShard.Command> behavior) {
        ActorRef<TensorShard.Command> ref = system.systemActorOf(behavior, road.actor(rank), TensorShard.props());
        roads.registry().register(id(road, rank), ref);
        return ref;
    }

    TensorRoad road(Road road) {
        return road == Road.LANE ? roads.road() : artery;
    }

    /** The rank of the other side for {@code road}. */
    Peer peer(Road road, Address other) {
        int otherRank = 1 - rank;
        String path = "pekko://%s@%s/system/%s".formatted(NodeConfig.SYSTEM, other.artery(), road.actor(otherRank));
        return new Peer(
                id(road, otherRank), other.lane(), ActorRefResolver.get(system).resolveActorRef(path));
    }

    /** Where this side can be reached. */
    Address address() {
        return new Address(Incarnation.self(system).hostPort(), roads.address());
    }

    static Epoch epoch() {
        return EPOCH;
    }

    private static ShardId id(Road road, int rank) {
        return new ShardId(EPOCH, road == Road.LANE ? 0 : 1, rank);
    }

    @Override
    public void close() {
        roads.close();
        system.terminate();
        // The next one takes the same port.
        system.getWhenTerminated().toCompletableFuture().join();
    }

    /** How floats travel. */
    enum Road {
        LANE,
        ARTERY;

        String actor(int rank) {
            return "%s-%d".formatted(name().toLowerCase(Locale.ROOT), rank);
        }
    }

    /**
     * Where a side can be reached.
     *
     * @param artery host:port
     * @param lane host:port
     */
    record Address(String artery, String lane) {}
}
