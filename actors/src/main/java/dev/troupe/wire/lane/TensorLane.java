package dev.troupe.wire.lane;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.LaneRegistry;
import dev.troupe.stage.Peer;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorMessage;
import dev.troupe.stage.TensorRoad;
import dev.troupe.stage.TensorShard;
import dev.troupe.wire.frame.FrameEncoder;
import dev.troupe.wire.frame.FramePool;
import dev.troupe.wire.frame.Hello;
import dev.troupe.wire.kryo.WireCodec;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A node's road for floats: framed TCP to other nodes' lanes, two connections a peer (steps, and bulk), of which the
 * node with the smaller address dials both. The larger one asks for it with a call when it has something to send first.
 *
 * <p>Sending never waits: a sender writes what the socket takes, the rest waits in a bounded queue, and a peer whose
 * queue is full is lost. One I/O thread reads, decodes and tells the shards. Messages for an epoch that is neither
 * joined nor announced are dropped and counted; those that come before their shard are kept up to a bound. There is no
 * order between messages of different sizes, and none with the actors' own messages.
 */
public final class TensorLane implements TensorRoad, LaneRegistry, AutoCloseable {
    private final LaneCounters counters = new LaneCounters();
    private final FrameEncoder encoder;
    private final ShardTable shards;
    private final LanePort port;
    private final String address;

    private TensorLane(LaneSettings settings, @Nullable TlsIdentity tls, WireCodec codec, LaneListener listener)
            throws IOException {
        FramePool pool = new FramePool(settings.maxFrame());
        this.encoder = new FrameEncoder(codec, pool, settings.maxFrame());
        this.shards = new ShardTable(settings.earlyBytes(), counters);
        this.port = new LanePort(settings, tls, codec, pool, counters, listener, shards::deliver);
        this.address = port.address().toString();
    }

    /**
     * Listens in plain text and starts the I/O thread.
     *
     * @param codec of the node's actor system
     * @throws IOException if the port cannot be bound
     * @throws IllegalArgumentException if the address is not on loopback
     */
    public static TensorLane open(LaneSettings settings, WireCodec codec, LaneListener listener) throws IOException {
        return open(settings, null, codec, listener);
    }

    /**
     * Listens and starts the I/O thread.
     *
     * @param tls who this node is; null for plain text on loopback
     * @param codec of the node's actor system
     * @throws IOException if the port cannot be bound
     * @throws IllegalArgumentException if there is no TLS and the address is not on loopback
     */
    public static TensorLane open(
            LaneSettings settings, @Nullable TlsIdentity tls, WireCodec codec, LaneListener listener)
            throws IOException {
        TensorLane lane = new TensorLane(settings, tls, codec, listener);
        lane.port.start();
        return lane;
    }

    /** How other nodes reach this lane; what belongs into {@link Peer#lane}. */
    public LaneAddress address() {
        return port.address();
    }

    /**
     * Sends {@code message}; inside this node by reference.
     *
     * @throws IllegalArgumentException if the peer has no lane, or the message cannot travel
     */
    @Override
    public void send(Peer peer, TensorMessage message) {
        if (peer.lane().equals(address)) {
            peer.ref().tell(message);
            return;
        }
        if (peer.lane().isEmpty()) {
            throw new IllegalArgumentException(
                    "%s has no tensor lane, this node (%s) has: set troupe.wire.tensors to the same on all nodes"
                            .formatted(peer.id(), address));
        }
        List<ByteBuffer> frames = encoder.encode(peer.id(), message);
        Hello.Channel channel = frames.size() == 1 ? Hello.Channel.STEP : Hello.Channel.BULK;
        port.link(peer.lane(), channel).send(frames);
    }

    /** Makes sure that there is a connection for steps to {@code peer}, soon; sending does it too. */
    public void connect(LaneAddress peer) {
        if (!peer.equals(port.address())) {
            port.link(peer.toString(), Hello.Channel.STEP).connect();
        }
    }

    @Override
    public void register(ShardId id, ActorRef<TensorShard.Command> shard) {
        shards.register(id, shard);
    }

    @Override
    public void unregister(ShardId id) {
        shards.unregister(id);
    }

    /** From now on messages of {@code epoch} are kept for shards that are not here yet. */
    public void announce(Epoch epoch) {
        shards.announce(epoch);
    }

    /** What has happened so far. */
    public LaneStatistics statistics() {
        return counters.snapshot(port.connections(), shards.early());
    }

    /** Closes all open connections, with what waits for them; sending makes new ones. Returns how many there were. */
    public int reset() {
        return port.reset();
    }

    /** Ends all connections and the I/O thread. Nothing is sent any more. */
    @Override
    public void close() {
        port.close();
    }
}
