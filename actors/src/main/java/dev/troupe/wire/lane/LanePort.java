package dev.troupe.wire.lane;

import dev.troupe.wire.frame.Delivery;
import dev.troupe.wire.frame.FrameException;
import dev.troupe.wire.frame.FramePool;
import dev.troupe.wire.frame.Hello;
import dev.troupe.wire.kryo.WireCodec;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The network side of a lane: the listening socket, the connections, and the links to peers. Unless said otherwise its
 * methods belong to the I/O thread.
 */
final class LanePort {
    private final LaneSettings settings;
    private final @Nullable TlsIdentity tls;
    private final WireCodec codec;
    private final FramePool pool;
    private final FramePool greetingPool = new FramePool(Connection.GREETING);
    private final LaneCounters counters;
    private final LaneListener listener;
    private final Consumer<Delivery> deliveries;
    private final ServerSocketChannel server;
    private final LaneAddress address;
    private final LaneLoop loop;
    private final RareLog log;
    private final Admission admission;
    private final ConcurrentHashMap<String, Links> links = new ConcurrentHashMap<>();
    private final Set<Connection> strangers = new HashSet<>();
    private final Set<Connection> open = ConcurrentHashMap.newKeySet();
    private @Nullable SelectionKey accepting;
    private volatile boolean closed;

    /** What goes to one peer. */
    private record Links(Link step, Link bulk) {
        void forEach(Consumer<Link> action) {
            action.accept(step);
            action.accept(bulk);
        }
    }

    /** @param tls null on loopback only */
    LanePort(
            LaneSettings settings,
            @Nullable TlsIdentity tls,
            WireCodec codec,
            FramePool pool,
            LaneCounters counters,
            LaneListener listener,
            Consumer<Delivery> deliveries)
            throws IOException {
        this.settings = settings;
        this.tls = tls;
        this.codec = codec;
        this.pool = pool;
        this.counters = counters;
        this.listener = listener;
        this.deliveries = deliveries;
        this.server = listen(settings, tls != null);
        int bound = ((InetSocketAddress) server.getLocalAddress()).getPort();
        this.address = new LaneAddress(settings.host(), settings.port() == 0 ? bound : settings.port());
        this.admission = new Admission(codec.types().protocol(), address);
        this.log = new RareLog("tensor lane " + address);
        this.loop = new LaneLoop("troupe-lane-" + address, this::tick, this::end);
    }

    private static ServerSocketChannel listen(LaneSettings settings, boolean secured) throws IOException {
        InetSocketAddress at = new InetSocketAddress(settings.bindHost(), settings.bindPort());
        if (at.isUnresolved()) {
            throw new IOException(
                    "the tensor lane cannot listen on %s: the host name is unknown; set troupe.node.bind-host"
                            .formatted(settings.bindHost()));
        }
        if (!secured && !at.getAddress().isLoopbackAddress()) {
            throw new IllegalArgumentException(
                    "the tensor lane does not listen on %s:%d without TLS, because anybody who can reach it could feed it numbers: make certificates with troupe certs --out DIR --nodes %s and set troupe.wire.tls { enabled = on, directory = DIR }, or bind to 127.0.0.1"
                            .formatted(settings.bindHost(), settings.bindPort(), settings.host()));
        }
        ServerSocketChannel server = ServerSocketChannel.open();
        try {
            server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            server.bind(at);
            server.configureBlocking(false);
            return server;
        } catch (IOException e) {
            server.close();
            throw new IOException(
                    "the tensor lane cannot listen on %s:%d: %s; set troupe.wire.lane-port to a free one, or to 0"
                            .formatted(settings.bindHost(), settings.bindPort(), e.getMessage()),
                    e);
        }
    }

    /** Any thread, once. */
    void start() throws IOException {
        accepting = loop.register(server, SelectionKey.OP_ACCEPT, key -> accept());
        loop.start();
    }

    /** Any thread. */
    void close() {
        closed = true;
        loop.end();
    }

    /** Any thread. */
    int reset() {
        List<Connection> now = List.copyOf(open);
        now.forEach(connection -> connection.fail("reset on purpose"));
        return now.size();
    }

    private void end() {
        closed = true;
        try {
            server.close();
        } catch (IOException e) {
            log.rarely("closing the port: " + e.getMessage());
        }
        List.copyOf(strangers).forEach(Connection::close);
        List.copyOf(open).forEach(Connection::close);
        open.clear();
        links.values().forEach(both -> both.forEach(Link::failed));
    }

    // Who wants to speak to us.

    private void accept() {
        try {
            for (SocketChannel channel = server.accept(); channel != null; channel = server.accept()) {
                if (strangers.size() >= settings.maxStrangers()) {
                    channel.close();
                    counters.refused.increment();
                    log.rarely("%d connections whose other side is not known yet; more are refused"
                            .formatted(strangers.size()));
                } else {
                    prepare(channel);
                    Connection.accepted(this, channel, accepted(channel));
                }
            }
        } catch (IOException e) {
            log.rarely("cannot accept connections for now: " + e.getMessage());
            accepting(0); // the tick tries again
        }
    }

    private void accepting(int interest) {
        if (accepting != null && accepting.isValid() && accepting.interestOps() != interest) {
            accepting.interestOps(interest);
        }
    }

    private static void prepare(SocketChannel channel) throws IOException {
        channel.configureBlocking(false);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
    }

    // Whom we want to speak to.

    /** The link to the lane at {@code peer}. Any thread. */
    Link link(String peer, Hello.Channel channel) {
        Links both = links.get(peer);
        if (both == null) {
            LaneAddress parsed = LaneAddress.parse(peer);
            both = links.computeIfAbsent(
                    parsed.toString(),
                    text -> new Links(
                            new Link(this, parsed, Hello.Channel.STEP), new Link(this, parsed, Hello.Channel.BULK)));
            links.putIfAbsent(peer, both);
        }
        return channel == Hello.Channel.STEP ? both.step() : both.bulk();
    }

    /** Whether this node dials {@code peer}; it calls otherwise. Any thread. */
    boolean dials(LaneAddress peer) {
        return admission.dials(peer);
    }

    /** Dials or calls. */
    void dial(Link link) {
        // Looking up a name may take seconds, so it is done elsewhere.
        Thread.ofVirtual().start(() -> {
            InetSocketAddress resolved =
                    new InetSocketAddress(link.peer().host(), link.peer().port());
            loop.execute(() -> connect(link, resolved));
        });
    }

    private void connect(Link link, InetSocketAddress resolved) {
        if (closed) {
            return;
        }
        if (resolved.isUnresolved()) {
            unreachable(
                    link, "the host name '%s' is unknown".formatted(link.peer().host()));
            return;
        }
        try {
            SocketChannel channel = SocketChannel.open();
            try {
                prepare(channel);
                boolean connected = channel.connect(resolved);
                Connection.dialed(this, channel, dialed(channel, link.peer()), link, connected);
            } catch (IOException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            unreachable(link, e.getMessage());
        }
    }

    /** {@code peer} asks us to dial. */
    void called(LaneAddress peer, Hello.Channel channel) {
        Connection replaced = link(peer.toString(), channel).called();
        if (replaced != null) {
            replaced(peer, replaced, "it asks for a new connection");
        }
    }

    private Pipe accepted(SocketChannel channel) {
        return tls == null ? new PlainPipe(channel) : new TlsPipe(channel, tls.server());
    }

    private Pipe dialed(SocketChannel channel, LaneAddress peer) {
        return tls == null ? new PlainPipe(channel) : new TlsPipe(channel, tls.client(peer.host(), peer.port()));
    }

    // What happens to connections.

    void opened(Connection connection, Link link) {
        open.add(connection);
        Connection replaced = link.opened(connection);
        if (replaced != null) {
            String who = replaced.peerIncarnation() == connection.peerIncarnation()
                    ? "the same process has made a new connection"
                    : "a new process has taken its place";
            replaced(link.peer(), replaced, who);
        }
        listener.connected(link.peer(), connection.peerIncarnation());
    }

    private void replaced(LaneAddress peer, Connection replaced, String reason) {
        open.remove(replaced);
        replaced.close();
        lost(peer, replaced.peerIncarnation(), reason);
    }

    /**
     * {@code connection} has ended.
     *
     * @param link what it carried, if it was open
     */
    void ended(Connection connection, @Nullable Link link, String reason) {
        open.remove(connection);
        Link dialed = connection.dialedFor();
        if (link != null) {
            if (link.closed(connection)) {
                lost(link.peer(), connection.peerIncarnation(), "%s connection: %s".formatted(link.channel(), reason));
            }
        } else if (dialed != null) {
            unreachable(dialed, reason);
        } else {
            counters.refused.increment();
            log.rarely("connection from %s refused: %s".formatted(connection.remote(), reason));
        }
    }

    /** No connection to the peer of {@code link} can be made for now. */
    void unreachable(Link link, @Nullable String reason) {
        link.failed();
        lost(link.peer(), 0, "cannot be reached (%s connection): %s".formatted(link.channel(), reason));
    }

    private void lost(LaneAddress peer, long incarnation, String reason) {
        if (!closed) {
            counters.lost.increment();
            log.rarely("lost %s: %s".formatted(peer, reason));
            listener.lost(peer, incarnation, reason);
        }
    }

    private void tick() {
        accepting(SelectionKey.OP_ACCEPT);
        long now = System.nanoTime();
        for (Connection connection : List.copyOf(strangers)) {
            if (connection.isLate(now)) {
                connection.fail("no greeting within " + settings.handshake());
            }
        }
        links.values()
                .forEach(both -> both.forEach(link -> {
                    if (link.isLate(now)) {
                        unreachable(link, "it was called and has not dialed back");
                    }
                }));
    }

    void deliver(Delivery delivery) {
        counters.bytesReceived.add(delivery.bytes());
        deliveries.accept(delivery);
    }

    void count(FrameException fault) {
        switch (fault.fault()) {
            case CHECKSUM -> counters.checksumErrors.increment();
            case MALFORMED -> counters.malformed.increment();
            case VERSION -> {} // counted as refused
        }
    }

    Hello hello(Hello.Purpose purpose, Hello.Channel channel, String to) {
        return new Hello(purpose, channel, settings.incarnation(), codec.types().protocol(), address.toString(), to);
    }

    // What connections and links work with. Any thread.

    LaneSettings settings() {
        return settings;
    }

    LaneAddress address() {
        return address;
    }

    LaneLoop loop() {
        return loop;
    }

    FramePool pool() {
        return pool;
    }

    /** For greetings, and to read what strangers send. */
    FramePool greetingPool() {
        return greetingPool;
    }

    WireCodec codec() {
        return codec;
    }

    LaneCounters counters() {
        return counters;
    }

    boolean isClosed() {
        return closed;
    }

    int connections() {
        return open.size();
    }

    Set<Connection> strangers() {
        return strangers;
    }

    Admission admission() {
        return admission;
    }

    RareLog log() {
        return log;
    }
}
