package dev.troupe.wire.frame;

import dev.troupe.stage.HandOff;
import dev.troupe.stage.Partial;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorMessage;
import dev.troupe.tensor.Floats;
import dev.troupe.wire.kryo.WireCodec;
import java.io.ByteArrayOutputStream;
import java.io.NotSerializableException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one connection to messages. It allocates what has arrived, never what a length says. Owned by the thread
 * that reads the connection.
 */
public final class FrameDecoder {
    private final WireCodec codec;
    private final int longest;
    private @Nullable Begun begun;
    private long frames;

    /** A message of which some frames have come. */
    private record Begun(ShardId target, FrameKind kind, long expected, ByteArrayOutputStream payload) {}

    /**
     * @param longest most bytes of a frame, header included
     */
    public FrameDecoder(WireCodec codec, int longest) {
        this.codec = codec;
        this.longest = longest;
    }

    /** Frames seen whole. */
    public long frames() {
        return frames;
    }

    /**
     * The next message in {@code in}, whose position moves behind it, or null when more bytes must come first.
     *
     * @param in little-endian, ready to be read
     * @throws FrameException if the bytes are none of this lane's; the connection is of no use then
     */
    public @Nullable Delivery next(ByteBuffer in) throws FrameException {
        while (FrameView.isWhole(in, longest)) {
            FrameView frame = new FrameView(in, in.position());
            in.position(in.position() + FrameView.HEADER + frame.length());
            frame.requireIntact();
            frames++;
            Delivery delivery = taken(frame);
            if (delivery != null) {
                return delivery;
            }
        }
        return null;
    }

    private @Nullable Delivery taken(FrameView frame) throws FrameException {
        FrameKind kind = frame.kind();
        long expected = requireConsistent(frame, kind);
        if (!frame.has(FrameView.MORE) && !frame.has(FrameView.CONTINUES)) {
            require(frame.length() == expected, "length=%d, expected %d", frame.length(), expected);
            return delivery(frame, kind, frame.payload());
        }
        Begun whole = begun;
        if (frame.has(FrameView.CONTINUES)) {
            require(whole != null, "a message goes on that has not begun", 0, 0);
        } else {
            require(whole == null, "a message begins inside another", 0, 0);
            whole = new Begun(frame.target(), kind, expected, new ByteArrayOutputStream());
            begun = whole;
        }
        return continued(frame, kind, expected, whole);
    }

    private @Nullable Delivery continued(FrameView frame, FrameKind kind, long expected, @Nullable Begun whole)
            throws FrameException {
        if (whole == null
                || whole.kind() != kind
                || whole.expected() != expected
                || !whole.target().equals(frame.target())) {
            throw malformed("a message goes on as another one");
        }
        byte[] part = new byte[frame.length()];
        frame.payload().get(part);
        whole.payload().writeBytes(part);
        long come = whole.payload().size();
        require(come <= expected, "%d bytes of a message of %d", come, expected);
        if (frame.has(FrameView.MORE)) {
            return null;
        }
        begun = null;
        require(come == expected, "ends after %d bytes, expected %d", come, expected);
        return delivery(frame, kind, ByteBuffer.wrap(whole.payload().toByteArray()));
    }

    /** The bytes that the whole message must have. */
    private static long requireConsistent(FrameView frame, FrameKind kind) throws FrameException {
        boolean hasValues = kind == FrameKind.PARTIAL || kind == FrameKind.HAND_OFF;
        require(hasValues || kind == FrameKind.OBJECT, "kind=%d, expected a message", kind.code, 0);
        require(
                frame.dtype() == (hasValues ? FrameView.F32 : FrameView.NO_VALUES),
                "dtype=%d for kind=%d",
                frame.dtype(),
                kind.code);
        require(frame.rows() >= 0 && frame.columns() >= 0, "shape [%d, %d]", frame.rows(), frame.columns());
        require(
                hasValues || (frame.rows() == 0 && frame.columns() == 0),
                "shape [%d, %d] without values",
                frame.rows(),
                frame.columns());
        require(kind != FrameKind.PARTIAL || frame.metadata() == 0, "metadata=%d, expected %d", frame.metadata(), 0);
        long values = (long) frame.rows() * frame.columns(); // below 2^62
        require(values <= FrameEncoder.MAX_MESSAGE / Float.BYTES, "shape [%d, %d]", frame.rows(), frame.columns());
        long expected = frame.metadata() + Float.BYTES * values;
        require(
                frame.metadata() >= 0 && expected <= FrameEncoder.MAX_MESSAGE,
                "metadata=%d, whole message of %d bytes",
                frame.metadata(),
                expected);
        return expected;
    }

    private Delivery delivery(FrameView frame, FrameKind kind, ByteBuffer payload) throws FrameException {
        TensorMessage message;
        try {
            message = message(frame, kind, payload);
        } catch (IllegalArgumentException e) { // the records' own checks
            throw malformed(e.getMessage());
        }
        require(
                message.epoch().equals(frame.target().epoch()) && message.step() == frame.step(),
                "step=%d in the header, %d in the message",
                frame.step(),
                message.step());
        return new Delivery(frame.target(), message, FrameView.HEADER + payload.remaining());
    }

    private TensorMessage message(FrameView frame, FrameKind kind, ByteBuffer payload) throws FrameException {
        ByteBuffer metadata = payload.slice(0, frame.metadata());
        int rest = payload.remaining() - frame.metadata();
        MemorySegment floats = MemorySegment.ofBuffer(payload.slice(frame.metadata(), rest));
        return switch (kind) {
            case PARTIAL ->
                new Partial(
                        frame.target().epoch(),
                        frame.step(),
                        frame.integer(FrameView.AT_EXCHANGE),
                        frame.integer(FrameView.AT_FROM_RANK),
                        frame.integer(FrameView.AT_FROM_GROUP),
                        frame.integer(FrameView.AT_TO_GROUP),
                        frame.integer(FrameView.AT_FIRST_ROW),
                        Floats.copyOf(frame.rows(), frame.columns(), floats));
            case HAND_OFF -> {
                if (!(object(metadata) instanceof HandOff head)) {
                    throw malformed("the metadata of a hand-off are none");
                }
                yield new HandOff(
                        head.batch(),
                        head.failedTokens(),
                        head.work(),
                        frame.integer(FrameView.AT_FIRST_ROW),
                        Floats.copyOf(frame.rows(), frame.columns(), floats));
            }
            case OBJECT, HELLO, REFUSED -> object(metadata);
        };
    }

    private TensorMessage object(ByteBuffer metadata) throws FrameException {
        try {
            Object decoded = codec.decode(metadata);
            if (decoded instanceof TensorMessage message) {
                return message;
            }
            throw malformed(decoded.getClass().getName() + " is no message of the tensor lane");
        } catch (NotSerializableException e) {
            throw malformed(e.getMessage());
        }
    }

    private static void require(boolean holds, String otherwise, long first, long second) throws FrameException {
        if (!holds) {
            throw malformed(otherwise.formatted(first, second));
        }
    }

    private static FrameException malformed(@Nullable String what) {
        return new FrameException(FrameException.Fault.MALFORMED, String.valueOf(what));
    }
}
