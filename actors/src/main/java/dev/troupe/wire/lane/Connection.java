package dev.troupe.wire.lane;

import dev.troupe.wire.frame.Delivery;
import dev.troupe.wire.frame.FrameDecoder;
import dev.troupe.wire.frame.FrameException;
import dev.troupe.wire.frame.Hello;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One TCP connection: made, secured, greeted, then open until it ends. Everything but {@link #write} and {@link #fail}
 * belongs to the I/O thread.
 */
final class Connection {
    /** Room for what a cipher gives at once, beyond one frame. */
    private static final int SLACK = 32 * 1024;

    /** Room to read into before the other side is known. */
    static final int GREETING = Hello.MAX_FRAME + SLACK;

    private static final int READS_AT_ONCE = 16;

    private final LanePort lane;
    private final SocketChannel channel;
    private final Pipe pipe;
    private final @Nullable Link dialedFor;
    private final Hello.Purpose purpose;
    private final long deadline;
    private final String remote;
    private final ArrayDeque<ByteBuffer> greetings = new ArrayDeque<>();
    private final AtomicBoolean failed = new AtomicBoolean();
    private Phase phase;
    private ByteBuffer in;
    private @Nullable SelectionKey key;
    private @Nullable Link link;
    private @Nullable FrameDecoder decoder;
    private long peerIncarnation;

    private enum Phase {
        CONNECTING,
        SECURING,
        GREETING,
        /** The other side has asked us to dial and will close. */
        CALLED,
        OPEN,
        CLOSED
    }

    private Connection(LanePort lane, SocketChannel channel, Pipe pipe, @Nullable Link dialedFor, Phase phase) {
        this.lane = lane;
        this.channel = channel;
        this.pipe = pipe;
        this.dialedFor = dialedFor;
        this.phase = phase;
        this.purpose = dialedFor != null && !lane.dials(dialedFor.peer()) ? Hello.Purpose.CALL : Hello.Purpose.CARRY;
        this.in = lane.greetingPool().take(GREETING);
        this.deadline = System.nanoTime() + lane.settings().handshake().toNanos();
        this.remote = String.valueOf(channel.socket().getRemoteSocketAddress());
    }

    /** A connection that a stranger has made. */
    static void accepted(LanePort lane, SocketChannel channel, Pipe pipe) throws IOException {
        Connection connection = new Connection(lane, channel, pipe, null, Phase.SECURING);
        connection.key = lane.loop().register(channel, SelectionKey.OP_READ, connection::ready);
        lane.strangers().add(connection);
        connection.ready(connection.key);
    }

    /** A connection that we make for {@code link}. */
    static void dialed(LanePort lane, SocketChannel channel, Pipe pipe, Link link, boolean connected)
            throws IOException {
        Connection connection =
                new Connection(lane, channel, pipe, link, connected ? Phase.SECURING : Phase.CONNECTING);
        connection.key = lane.loop()
                .register(channel, connected ? SelectionKey.OP_READ : SelectionKey.OP_CONNECT, connection::ready);
        lane.strangers().add(connection);
        if (connected) {
            connection.ready(connection.key);
        }
    }

    /** The other side's address as the socket sees it, for logs. */
    String remote() {
        return remote;
    }

    /** Whom it was dialed for; null where the other side dialed. */
    @Nullable
    Link dialedFor() {
        return dialedFor;
    }

    long peerIncarnation() {
        return peerIncarnation;
    }

    /** Whether the greeting takes too long. */
    boolean isLate(long now) {
        return now - deadline > 0;
    }

    private void ready(SelectionKey ready) {
        if (phase == Phase.CLOSED) {
            return;
        }
        try {
            if (phase == Phase.CONNECTING) {
                if (!channel.finishConnect()) {
                    return;
                }
                phase = Phase.SECURING;
                ready.interestOps(SelectionKey.OP_READ);
            }
            if (phase == Phase.SECURING && !secured(ready)) {
                return;
            }
            if (phase == Phase.GREETING) {
                writeGreetings();
            } else if (phase == Phase.OPEN && link != null && ready.isValid() && ready.isWritable()) {
                link.flush();
            }
            read();
        } catch (IOException | FrameException | CancelledKeyException e) {
            failed(e);
        }
    }

    /** Goes on after work on another thread. */
    void resume() {
        if (key != null) {
            ready(key);
        }
    }

    private boolean secured(SelectionKey ready) throws IOException {
        Pipe.Need need = pipe.handshake(() -> lane.loop().execute(this::resume));
        switch (need) {
            case READ -> ready.interestOps(SelectionKey.OP_READ);
            case WRITE -> ready.interestOps(SelectionKey.OP_WRITE);
            case WORK -> ready.interestOps(0);
            case NOTHING -> {
                ready.interestOps(SelectionKey.OP_READ);
                phase = Phase.GREETING;
                if (dialedFor != null) {
                    greet(lane.hello(
                            purpose, dialedFor.channel(), dialedFor.peer().toString()));
                }
                return true;
            }
        }
        return false;
    }

    private void greet(Hello hello) {
        greetings.add(hello.toFrame(lane.greetingPool()));
        writeGreetings();
    }

    /** As far as the socket takes it; the connection is closed next. */
    private void refuse(String reason) {
        greetings.add(Hello.refusal(lane.greetingPool(), reason));
        writeGreetings();
    }

    private void writeGreetings() {
        write(new ArrayDeque<>(), lane.greetingPool()::giveBack);
    }

    private void read() throws IOException, FrameException {
        for (int i = 0; phase != Phase.CLOSED && (i < READS_AT_ONCE || pipe.holdsInput()); i++) {
            int count = pipe.read(in);
            if (count < 0 && phase == Phase.CALLED) {
                close();
                return;
            }
            if (count < 0) {
                throw new IOException("closed by the other side");
            }
            in.flip();
            understand();
            if (phase == Phase.CLOSED) {
                return;
            }
            in.compact();
            if (count == 0) {
                return;
            }
        }
    }

    private void understand() throws IOException, FrameException {
        if (phase == Phase.GREETING) {
            Record first = Hello.read(in);
            switch (first) {
                case null -> {}
                case Hello hello when dialedFor == null -> answer(hello);
                case Hello hello -> answered(hello, dialedFor);
                case Hello.Refusal refusal
                when dialedFor != null -> throw new IOException("it refuses: " + refusal.reason());
                default -> throw new IOException("it refuses without having been asked");
            }
        }
        if (phase == Phase.CALLED && in.hasRemaining()) {
            throw new IOException("it asks for a call and goes on speaking");
        }
        if (phase == Phase.OPEN && decoder != null) {
            long before = decoder.frames();
            for (Delivery delivery = decoder.next(in); delivery != null; delivery = decoder.next(in)) {
                lane.deliver(delivery);
            }
            lane.counters().framesReceived.add(decoder.frames() - before);
        }
    }

    /** The other side has dialed. */
    private void answer(Hello hello) throws IOException {
        String objection = lane.admission().objection(hello);
        if (objection == null) {
            objection = pipe.objectionTo(LaneAddress.parse(hello.from()));
        }
        if (objection != null) {
            refuse(objection);
            throw new IOException(objection);
        }
        LaneAddress peer = LaneAddress.parse(hello.from());
        greet(lane.hello(hello.purpose(), hello.channel(), hello.from()));
        if (hello.purpose() == Hello.Purpose.CALL) {
            phase = Phase.CALLED;
            lane.called(peer, hello.channel());
        } else {
            open(lane.link(peer.toString(), hello.channel()), hello);
        }
    }

    /** The other side answers our greeting. */
    private void answered(Hello hello, Link wanted) throws IOException {
        String objection = lane.admission().objectionToAnswer(hello, wanted.peer());
        if (objection == null) {
            objection = pipe.objectionTo(wanted.peer());
        }
        if (objection != null) {
            throw new IOException(objection);
        }
        if (purpose == Hello.Purpose.CALL) {
            close(); // it will dial
        } else {
            open(wanted, hello);
        }
    }

    private void open(Link opened, Hello hello) {
        phase = Phase.OPEN;
        peerIncarnation = hello.incarnation();
        decoder = new FrameDecoder(lane.codec(), lane.settings().maxFrame());
        link = opened;
        ByteBuffer greeting = in;
        in = ByteBuffer.allocateDirect(lane.settings().maxFrame() + SLACK)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(greeting)
                .flip();
        lane.greetingPool().giveBack(greeting);
        lane.strangers().remove(this);
        lane.opened(this, opened);
    }

    /**
     * Writes what the socket takes of {@code frames}; if something is left, the I/O thread will call for it. The caller
     * holds the lock of the link once the connection is open. Faults end the connection.
     *
     * @return false if the connection has failed
     */
    synchronized boolean write(Deque<ByteBuffer> frames, Consumer<ByteBuffer> done) {
        SelectionKey current = key;
        if (failed.get() || current == null) {
            return false;
        }
        try {
            boolean empty = pipe.write(greetings, lane.greetingPool()::giveBack) && pipe.write(frames, done);
            int before = empty
                    ? current.interestOpsAnd(~SelectionKey.OP_WRITE)
                    : current.interestOpsOr(SelectionKey.OP_WRITE);
            if (!empty && (before & SelectionKey.OP_WRITE) == 0) {
                lane.loop().wakeUp();
            }
            return true;
        } catch (IOException | CancelledKeyException e) {
            fail("cannot write: " + e.getMessage());
            return false;
        }
    }

    /** Ends the connection soon, from any thread. Frames that were not written are lost. */
    void fail(String reason) {
        if (failed.compareAndSet(false, true)) {
            lane.loop().execute(() -> ended(reason));
        }
    }

    private void failed(Exception e) {
        if (e instanceof FrameException frame) {
            lane.count(frame);
            if (frame.fault() == FrameException.Fault.VERSION && phase == Phase.GREETING) {
                refuse(reasonOf(frame));
            }
        }
        if (failed.compareAndSet(false, true)) {
            ended(reasonOf(e));
        }
    }

    private static String reasonOf(Exception e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }

    private void ended(String reason) {
        boolean wasOpen = phase == Phase.OPEN;
        close();
        lane.ended(this, wasOpen ? link : null, reason);
    }

    /** Closes without a word to anybody. */
    void close() {
        failed.set(true);
        if (phase == Phase.CLOSED) {
            return;
        }
        if (phase != Phase.OPEN) {
            lane.greetingPool().giveBack(in);
        }
        phase = Phase.CLOSED;
        lane.strangers().remove(this);
        synchronized (this) {
            pipe.close();
            greetings.forEach(lane.greetingPool()::giveBack);
            greetings.clear();
            try {
                channel.close();
            } catch (IOException e) {
                lane.log().rarely("closing a connection: " + e.getMessage());
            }
        }
    }
}
