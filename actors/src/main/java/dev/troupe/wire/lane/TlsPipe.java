package dev.troupe.wire.lane;

import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.PeerCertificate;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.security.cert.CertificateException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.Consumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Bytes under mutual TLS 1.3. Its buffers have one size, whatever the other side says.
 *
 * <p>The engine's answers are followed by what it says it needs, never by a count of bytes: it reports the end of a
 * handshake with an answer of no bytes. Two answers in a row without any progress end the connection, so a defect here is
 * an error and no loop.
 */
final class TlsPipe implements Pipe {
    /** Size of both buffers: some records, which have at most 16 KiB of data (RFC 8446 section 5.1). */
    private static final int BUFFER = 64 * 1024;

    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);
    private static final int MOST_AT_ONCE = 16;
    private static final int GOODBYE_RECORDS = 4;

    private final SocketChannel channel;
    private final SSLEngine engine;
    /** From the socket, ready to be read. */
    private final ByteBuffer in;
    /** For the socket, ready to be read. Guarded by this, as all writing. */
    private final ByteBuffer out;

    private final ByteBuffer[] gather = new ByteBuffer[MOST_AT_ONCE];
    private final int recordBytes;
    private boolean begun;
    private int idleReads;
    private int idleWrites;
    private boolean whole;

    /** @param engine new, in its mode, authentication of the other side demanded */
    TlsPipe(SocketChannel channel, SSLEngine engine) {
        this.channel = channel;
        this.engine = engine;
        this.recordBytes = engine.getSession().getPacketBufferSize();
        // On the heap: the cipher is faster there, more than the socket is slower.
        this.in = ByteBuffer.allocate(BUFFER).flip();
        this.out = ByteBuffer.allocate(BUFFER).flip();
    }

    @Override
    public Need handshake(Runnable workDone) throws IOException {
        try {
            if (!begun) {
                // An engine that has not begun says what one says that is done.
                engine.beginHandshake();
                begun = true;
            }
            while (true) {
                if (!flushed()) {
                    return Need.WRITE;
                }
                switch (engine.getHandshakeStatus()) {
                    case NEED_TASK -> {
                        work(workDone);
                        return Need.WORK;
                    }
                    case NEED_WRAP -> wrapNothing();
                    case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {
                        if (!unwrapHandshake()) {
                            return Need.READ;
                        }
                    }
                    case NOT_HANDSHAKING, FINISHED -> {
                        return Need.NOTHING;
                    }
                }
            }
        } catch (SSLException e) {
            throw failed(e);
        }
    }

    /** Signatures take milliseconds: not on the thread that all connections share. */
    private void work(Runnable workDone) {
        Thread.ofVirtual().name("troupe-lane-handshake").start(() -> {
            runTasks();
            workDone.run();
        });
    }

    private void runTasks() {
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
        }
    }

    /** One step; false when the other side must send first. */
    private boolean unwrapHandshake() throws IOException {
        SSLEngineResult result = engine.unwrap(in, NOTHING);
        switch (result.getStatus()) {
            case OK -> idleReads = guarded(result, idleReads, "unwrap");
            case BUFFER_UNDERFLOW -> {
                int received = receive();
                if (received < 0) {
                    throw new IOException("closed by the other side during the TLS handshake");
                }
                return received > 0;
            }
            case BUFFER_OVERFLOW -> throw new IOException("TLS: data inside of a handshake");
            case CLOSED -> throw new IOException("TLS: closed by the other side during the handshake");
        }
        return true;
    }

    /** What the socket has: a count of bytes, or −1 at its end. */
    private int receive() throws IOException {
        if (in.remaining() == in.capacity()) {
            throw new IOException("TLS: a record of more than %d bytes".formatted(in.capacity()));
        }
        in.compact();
        try {
            return channel.read(in);
        } finally {
            in.flip();
        }
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        int before = target.position();
        whole = false;
        try {
            while (true) {
                SSLEngineResult result = engine.unwrap(in, target);
                int count = target.position() - before;
                switch (result.getStatus()) {
                    case OK -> {
                        idleReads = guarded(result, idleReads, "unwrap");
                        goOn(result.getHandshakeStatus());
                    }
                    case BUFFER_OVERFLOW -> {
                        whole = true;
                        return requireRoom(count, target);
                    }
                    case BUFFER_UNDERFLOW -> {
                        if (count > 0) {
                            return count;
                        }
                        int received = receive();
                        if (received <= 0) {
                            return received;
                        }
                    }
                    case CLOSED -> {
                        return count > 0 ? count : -1;
                    }
                }
            }
        } catch (SSLException e) {
            throw failed(e);
        }
    }

    private static int requireRoom(int count, ByteBuffer target) throws IOException {
        if (count == 0) {
            throw new IOException("TLS: no room for a record in the %d bytes left".formatted(target.remaining()));
        }
        return count;
    }

    /** After the handshake: tickets and new keys, which are rare and cheap. */
    private void goOn(HandshakeStatus status) throws IOException {
        if (status == HandshakeStatus.NEED_TASK) {
            runTasks();
        }
        if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
            write(new ArrayDeque<>(), frame -> {});
        }
    }

    @Override
    public boolean holdsInput() {
        return whole;
    }

    @Override
    public synchronized boolean write(Deque<ByteBuffer> frames, Consumer<ByteBuffer> done) throws IOException {
        try {
            while (flushed()) {
                if (frames.isEmpty() && engine.getHandshakeStatus() != HandshakeStatus.NEED_WRAP) {
                    return true;
                }
                encrypt(frames, done);
            }
            return false;
        } catch (SSLException e) {
            throw failed(e);
        }
    }

    /** Fills {@link #out}, which is empty, as far as whole records fit. */
    private void encrypt(Deque<ByteBuffer> frames, Consumer<ByteBuffer> done) throws IOException {
        out.clear();
        try {
            while (out.remaining() >= recordBytes
                    && (!frames.isEmpty() || engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP)) {
                int count = 0;
                for (Iterator<ByteBuffer> i = frames.iterator(); i.hasNext() && count < MOST_AT_ONCE; ) {
                    gather[count++] = i.next();
                }
                SSLEngineResult result = engine.wrap(gather, 0, count, out);
                requireOk(result);
                idleWrites = guarded(result, idleWrites, "wrap");
                if (result.getHandshakeStatus() == HandshakeStatus.NEED_TASK) {
                    runTasks();
                }
                while (!frames.isEmpty() && !frames.getFirst().hasRemaining()) {
                    done.accept(frames.removeFirst());
                }
            }
        } finally {
            out.flip();
        }
    }

    private synchronized void wrapNothing() throws IOException {
        out.clear();
        try {
            SSLEngineResult result = engine.wrap(NOTHING, out);
            requireOk(result);
            idleWrites = guarded(result, idleWrites, "wrap");
        } finally {
            out.flip();
        }
    }

    private static void requireOk(SSLEngineResult result) throws IOException {
        if (result.getStatus() != Status.OK) {
            throw new IOException(
                    result.getStatus() == Status.CLOSED
                            ? "TLS: closed"
                            : "TLS: wrap said %s with room for a record".formatted(result.getStatus()));
        }
    }

    /** Counts answers without progress; the second in a row is the last. */
    private static int guarded(SSLEngineResult result, int idle, String what) throws IOException {
        if (result.bytesConsumed() > 0 || result.bytesProduced() > 0) {
            return 0;
        }
        if (idle > 0) {
            throw new IOException("TLS makes no progress: %s said %s, %s twice, without a byte"
                    .formatted(what, result.getStatus(), result.getHandshakeStatus()));
        }
        return idle + 1;
    }

    /** Whether all of {@link #out} is with the socket. */
    private synchronized boolean flushed() throws IOException {
        if (out.hasRemaining()) {
            channel.write(out);
        }
        return !out.hasRemaining();
    }

    @Override
    public @Nullable String objectionTo(LaneAddress peer) {
        try {
            PeerCertificate certificate = PeerCertificate.of(engine.getSession());
            String wrongRole = certificate.objectionToRoles(CertificateRole.ON_THE_LANE);
            String objection = wrongRole == null ? certificate.objectionToHost(peer.host()) : wrongRole;
            return objection == null ? null : objection + ": make one with troupe certs --add";
        } catch (CertificateException e) {
            return e.getMessage();
        }
    }

    private static IOException failed(SSLException e) {
        String reason = String.valueOf(e.getMessage());
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            if (cause.getMessage() != null && !reason.contains(cause.getMessage())) {
                reason += " (" + cause.getMessage() + ")";
            }
        }
        return new IOException(
                "TLS: %s; both sides need certificates of one authority (troupe certs), and TLS on".formatted(reason),
                e);
    }

    /** Says why, if the engine knows, as far as the socket takes it. */
    @Override
    public synchronized void close() {
        engine.closeOutbound();
        try {
            for (int i = 0; i < GOODBYE_RECORDS && flushed() && !engine.isOutboundDone(); i++) {
                out.clear();
                try {
                    engine.wrap(NOTHING, out);
                } finally {
                    out.flip();
                }
            }
            flushed();
        } catch (IOException e) {
            // The connection ends anyhow, and whoever ends it has said why.
            out.position(out.limit());
        }
    }
}
