package dev.troupe.wire.lane;

import dev.troupe.wire.frame.FramePool;
import dev.troupe.wire.frame.Hello;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What goes to one peer on one channel: a bounded queue of frames, and the connection that carries them when there is
 * one. Thread-safe; senders write to the socket themselves as far as it takes without waiting.
 */
final class Link {
    private final LanePort lane;
    private final LaneAddress peer;
    private final Hello.Channel channel;
    // Guarded by this:
    private final ArrayDeque<ByteBuffer> queue = new ArrayDeque<>();
    private long queuedBytes;
    private @Nullable Connection connection;
    private long openedAt;
    private boolean asked;
    private long askedUntil;
    private long notBefore = System.nanoTime();

    Link(LanePort lane, LaneAddress peer, Hello.Channel channel) {
        this.lane = lane;
        this.peer = peer;
        this.channel = channel;
    }

    LaneAddress peer() {
        return peer;
    }

    Hello.Channel channel() {
        return channel;
    }

    /** Sends {@code frames}, or gives them up when the peer is lost or cannot be reached. */
    void send(List<ByteBuffer> frames) {
        String overflow = null;
        synchronized (this) {
            if (connection == null && !ask(System.nanoTime())) {
                frames.forEach(this::giveUp);
                return;
            }
            for (ByteBuffer frame : frames) {
                queue.add(frame);
                queuedBytes += frame.capacity();
            }
            write();
            if (queuedBytes > lane.settings().queueBytes()) {
                overflow = "%d bytes wait for it, more than queue-bytes = %d: it is too slow, paused or cut off"
                        .formatted(queuedBytes, lane.settings().queueBytes());
            }
        }
        if (overflow != null) {
            overflowed(overflow);
        }
    }

    /** Makes sure that there is a connection, soon. */
    synchronized void connect() {
        if (connection == null) {
            ask(System.nanoTime());
        }
    }

    /** Whether a connection is on its way. */
    private boolean ask(long now) {
        if (asked) {
            return true;
        }
        if (now - notBefore < 0 || lane.isClosed()) {
            return false;
        }
        asked = true;
        // Twice: once for our call, once for the peer's dial.
        askedUntil = now + 2 * lane.settings().handshake().toNanos();
        lane.loop().execute(() -> lane.dial(this));
        return true;
    }

    private void write() {
        if (connection != null && !connection.write(queue, this::written)) {
            clear();
        }
    }

    private void written(ByteBuffer frame) {
        lane.counters().framesSent.increment();
        lane.counters().bytesSent.add(frame.limit());
        queuedBytes -= frame.capacity();
        lane.pool().giveBack(frame);
    }

    /** The socket takes more. */
    synchronized void flush() {
        write();
    }

    private void overflowed(String reason) {
        Connection current;
        synchronized (this) {
            current = connection;
        }
        if (current != null) {
            current.fail(reason);
        } else {
            lane.loop().execute(() -> lane.unreachable(this, reason));
        }
    }

    /** A new connection carries from now on. Returns the one before it, which the caller closes. */
    synchronized @Nullable Connection opened(Connection opened) {
        Connection before = connection;
        if (before != null) {
            clear(); // a frame may be half written, and frames before it may be lost
        }
        connection = opened;
        openedAt = System.nanoTime();
        asked = false;
        write();
        return before;
    }

    /** {@code ended} has ended; true if it was the one in use. */
    synchronized boolean closed(Connection ended) {
        if (connection != ended) {
            return false;
        }
        connection = null;
        clear();
        return true;
    }

    /** No connection can be made for now. */
    synchronized void failed() {
        asked = false;
        notBefore = System.nanoTime() + lane.settings().redial().toNanos();
        clear();
    }

    /**
     * The peer asks us to dial; returns the connection that this replaces, which the caller closes. A call that comes
     * just after a connection was made has crossed our dial on the road, and has been answered by it.
     */
    synchronized @Nullable Connection called() {
        Connection before = connection;
        if (before != null
                && System.nanoTime() - openedAt < lane.settings().handshake().toNanos()) {
            return null;
        }
        if (before != null) {
            connection = null;
            clear();
        }
        notBefore = System.nanoTime();
        ask(notBefore);
        return before;
    }

    /** Whether the peer was asked and does not come. */
    synchronized boolean isLate(long now) {
        return asked && now - askedUntil > 0;
    }

    synchronized boolean isOpen() {
        return connection != null;
    }

    private void clear() {
        queue.forEach(this::giveUp);
        queue.clear();
        queuedBytes = 0;
    }

    private void giveUp(ByteBuffer frame) {
        lane.counters().unsent.increment();
        FramePool pool = lane.pool();
        pool.giveBack(frame);
    }
}
