package dev.troupe.wire.lane;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Deque;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The bytes of one connection, plain or encrypted. Reading belongs to the I/O thread, writing to one thread at a time. */
interface Pipe {
    /** What must happen before bytes can flow. */
    enum Need {
        /** Nothing: they can. */
        NOTHING,
        /** The other side must send. */
        READ,
        /** The socket must take more. */
        WRITE,
        /** Work that runs on another thread; it says when it is done. */
        WORK
    }

    /**
     * Goes on with the handshake as far as it goes without waiting.
     *
     * @param workDone called from another thread when {@link Need#WORK} has been done
     */
    Need handshake(Runnable workDone) throws IOException;

    /** Why the other side, which says that it is {@code peer}, has not proven it; null when it has or need not. */
    @Nullable
    String objectionTo(LaneAddress peer);

    /** Bytes put into {@code target}; 0 when there are none now, −1 at the end. */
    int read(ByteBuffer target) throws IOException;

    /** Whether a further read may give bytes even though the socket has none. */
    boolean holdsInput();

    /**
     * Writes as much of {@code frames}, in order, as the socket takes. Those that are gone are removed and given to
     * {@code done}.
     *
     * @return whether nothing is left, here or inside
     */
    boolean write(Deque<ByteBuffer> frames, Consumer<ByteBuffer> done) throws IOException;

    /** Says goodbye where the protocol has one; the socket is closed by the caller. */
    void close();
}
