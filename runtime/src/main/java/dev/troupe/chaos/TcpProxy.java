package dev.troupe.chaos;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Stands between two nodes and makes the link that goes through it fail on purpose: cuts it, delays, slows down, flips bits.
 * One side binds to a port of its own and is known to others under the proxy's ({@code troupe.node.bind-port},
 * {@code troupe.wire.bind-lane-port}). It takes connections from anybody who can reach it.
 */
public final class TcpProxy implements AutoCloseable {
    private final InetSocketAddress to;
    private final LinkFaults faults;
    private final ServerSocket server;
    private final Gate gate = new Gate();
    private final Random cuts;
    private final Set<ProxiedConnection> connections = ConcurrentHashMap.newKeySet();
    private final AtomicLong accepted = new AtomicLong();
    private final AtomicLong cut = new AtomicLong();
    private final AtomicLong resets = new AtomicLong();
    private final AtomicLong flips = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();

    /**
     * What a proxy has done.
     *
     * @param connections taken
     * @param bytes passed on, both directions
     * @param cuts begun
     * @param resets connections closed by them, or refused
     * @param flips bits flipped
     */
    public record Counts(long connections, long bytes, long cuts, long resets, long flips) {}

    private TcpProxy(ServerSocket server, InetSocketAddress to, LinkFaults faults) {
        this.server = server;
        this.to = to;
        this.faults = faults;
        this.cuts = new Random(faults.seed());
    }

    /**
     * Starts one.
     *
     * @param listen where; port 0 takes a free one
     * @param to where its connections go on
     * @throws IOException if it cannot listen there
     */
    public static TcpProxy open(InetSocketAddress listen, InetSocketAddress to, LinkFaults faults) throws IOException {
        ServerSocket server = new ServerSocket();
        try {
            server.setReuseAddress(true);
            server.bind(listen);
        } catch (IOException e) {
            server.close();
            throw new IOException("the proxy cannot listen on %s: %s".formatted(listen, e.getMessage()), e);
        }
        TcpProxy proxy = new TcpProxy(server, to, faults);
        Thread.ofVirtual().name("proxy-accept").start(proxy::accept);
        if (faults.cutEvery().isPositive()) {
            Thread.ofVirtual().name("proxy-cuts").start(proxy::cutAndHeal);
        }
        return proxy;
    }

    /** Where it listens. */
    public int port() {
        return server.getLocalPort();
    }

    /** Its address. */
    public InetAddress host() {
        return server.getInetAddress();
    }

    /** What it has done. */
    public Counts counts() {
        return new Counts(accepted.get(), bytes.get(), cut.get(), resets.get(), flips.get());
    }

    /** Cuts the link until {@link #heal}. */
    public void cut() {
        gate.shut();
        cut.incrementAndGet();
        if (faults.reset()) {
            for (ProxiedConnection connection : connections) {
                resets.incrementAndGet();
                connection.reset();
            }
        }
    }

    /** Lets everything pass again. */
    public void heal() {
        gate.open();
    }

    private void cutAndHeal() {
        try {
            while (!server.isClosed()) {
                Thread.sleep(around(faults.cutEvery()));
                cut();
                Thread.sleep(around(faults.cutFor()));
                heal();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Duration around(Duration mean) {
        return Duration.ofNanos((long) (mean.toNanos() * (0.5 + cuts.nextDouble())));
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket client = server.accept();
                long number = accepted.incrementAndGet();
                Thread.ofVirtual().name("proxy-" + number).start(() -> serve(client, number));
            } catch (IOException e) {
                if (!server.isClosed()) {
                    close();
                }
            }
        }
    }

    private void serve(Socket client, long number) {
        ProxiedConnection connection = new ProxiedConnection(client, faults, gate, bytes, flips);
        connections.add(connection);
        try {
            if (faults.reset() && gate.isShut()) {
                resets.incrementAndGet();
                connection.reset();
                return;
            }
            connection.run(to, new Random(faults.seed() * 31 + number));
        } finally {
            connections.remove(connection);
        }
    }

    /** Closes it and all its connections. */
    @Override
    public void close() {
        try {
            server.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            gate.open();
            connections.forEach(ProxiedConnection::reset);
        }
    }
}
