package dev.troupe.chaos;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** One connection through a {@link TcpProxy}: two sockets, and in each direction one thread that reads and one that writes. */
final class ProxiedConnection {
    private static final int CHUNK = 16 * 1024;

    /** Chunks on their way in one direction: 4 MiB, like a link that holds some, and then the sender waits. */
    private static final int ON_THE_WAY = 256;

    private final Socket client;
    private final Socket server = new Socket();
    private final LinkFaults faults;
    private final Gate gate;
    private final AtomicLong bytes;
    private final AtomicLong flips;

    /** Bytes on their way; none ends the direction. */
    private static final class Chunk {
        final byte[] data;
        /** When they may arrive, in nanoseconds of this JVM. */
        final long due;

        Chunk(byte[] data, long due) {
            this.data = data;
            this.due = due;
        }
    }

    ProxiedConnection(Socket client, LinkFaults faults, Gate gate, AtomicLong bytes, AtomicLong flips) {
        this.client = client;
        this.faults = faults;
        this.gate = gate;
        this.bytes = bytes;
        this.flips = flips;
    }

    /** Connects to {@code to} and carries until both directions have ended. */
    void run(InetSocketAddress to, Random random) {
        try {
            gate.pass();
            client.setTcpNoDelay(true);
            server.setTcpNoDelay(true);
            server.connect(to);
            Thread back = carry(server, client, new Random(random.nextLong()));
            carry(client, server, new Random(random.nextLong())).join();
            back.join();
        } catch (IOException e) {
            reset(); // nobody listens there, or the client has gone
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            // What was written last may still be on its way: no reset.
            closeQuietly(client);
            closeQuietly(server);
        }
    }

    private Thread carry(Socket from, Socket to, Random random) {
        BlockingQueue<Chunk> onTheWay = new ArrayBlockingQueue<>(ON_THE_WAY);
        Thread.ofVirtual().start(() -> read(from, onTheWay));
        return Thread.ofVirtual().start(() -> write(onTheWay, to, random));
    }

    private void read(Socket from, BlockingQueue<Chunk> onTheWay) {
        byte[] buffer = new byte[CHUNK];
        try {
            InputStream in = from.getInputStream();
            int count = in.read(buffer);
            while (count >= 0) {
                onTheWay.put(new Chunk(
                        Arrays.copyOf(buffer, count),
                        System.nanoTime() + faults.delay().toNanos()));
                count = in.read(buffer);
            }
            onTheWay.put(
                    new Chunk(new byte[0], System.nanoTime() + faults.delay().toNanos()));
        } catch (IOException e) {
            reset();
            onTheWay.clear();
            onTheWay.offer(new Chunk(new byte[0], System.nanoTime()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void write(BlockingQueue<Chunk> onTheWay, Socket to, Random random) {
        long untilFlip = gap(random);
        try {
            OutputStream out = to.getOutputStream();
            while (true) {
                Chunk chunk = onTheWay.take();
                TimeUnit.NANOSECONDS.sleep(chunk.due - System.nanoTime());
                gate.pass();
                if (chunk.data.length == 0) {
                    to.shutdownOutput();
                    return;
                }
                while (faults.flipEvery() > 0 && untilFlip < chunk.data.length) {
                    chunk.data[(int) untilFlip] ^= (byte) (1 << random.nextInt(Byte.SIZE));
                    flips.incrementAndGet();
                    untilFlip += 1 + gap(random);
                }
                untilFlip -= chunk.data.length;
                out.write(chunk.data);
                bytes.addAndGet(chunk.data.length);
                if (faults.bytesPerSecond() > 0) {
                    TimeUnit.NANOSECONDS.sleep(chunk.data.length * 1_000_000_000L / faults.bytesPerSecond());
                }
            }
        } catch (IOException e) {
            reset();
            onTheWay.clear(); // whoever reads may wait for room
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private long gap(Random random) {
        return faults.flipEvery() == 0 ? Long.MAX_VALUE : random.nextLong(2 * faults.flipEvery());
    }

    /** Closes both sides at once, without a goodbye. */
    void reset() {
        reset(client);
        reset(server);
    }

    private static void reset(Socket socket) {
        try (socket) {
            if (!socket.isClosed() && socket.isConnected()) {
                socket.setSoLinger(true, 0);
            }
        } catch (IOException e) {
            // It is being closed from the other side.
            return;
        }
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // Nothing more to do for it.
            return;
        }
    }
}
