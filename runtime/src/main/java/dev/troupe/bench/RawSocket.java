package dev.troupe.bench;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** The floor under every round trip: a blocking socket that gets its bytes back, with no framing and no actors. */
final class RawSocket implements AutoCloseable {
    private final SocketChannel channel;

    private RawSocket(SocketChannel channel) {
        this.channel = channel;
    }

    /**
     * Sends back what comes, on a thread of its own, until the other side closes.
     *
     * @return the port, on {@code host}
     */
    static int echo(String host) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(host, 0));
        Thread.ofPlatform().daemon().name("raw-echo").start(() -> {
            try (server;
                    SocketChannel accepted = server.accept()) {
                accepted.setOption(StandardSocketOptions.TCP_NODELAY, true);
                ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
                while (accepted.read(buffer.clear()) >= 0) {
                    writeAll(accepted, buffer.flip());
                }
            } catch (IOException e) {
                Thread.currentThread().interrupt(); // the other side has gone, which ends the measurement
            }
        });
        return ((InetSocketAddress) server.getLocalAddress()).getPort();
    }

    static RawSocket connect(String host, int port) throws IOException {
        SocketChannel channel = SocketChannel.open(new InetSocketAddress(host, port));
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        return new RawSocket(channel);
    }

    /** Nanoseconds of each of {@code rounds} round trips of {@code bytes}. */
    long[] roundTrips(int bytes, int rounds) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes);
        long[] nanos = new long[rounds];
        for (int round = 0; round < rounds; round++) {
            long start = System.nanoTime();
            writeAll(channel, buffer.clear());
            buffer.clear();
            while (buffer.hasRemaining()) {
                if (channel.read(buffer) < 0) {
                    throw new IOException("the other process has closed the socket");
                }
            }
            nanos[round] = System.nanoTime() - start;
        }
        return nanos;
    }

    private static void writeAll(SocketChannel to, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
