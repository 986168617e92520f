package dev.troupe.wire.frame;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The first frame of either side of a connection: who speaks to whom, and what for.
 *
 * @param purpose what the connection is for
 * @param channel which of the two connections of a pair
 * @param incarnation of the speaker's process
 * @param protocol what the speaker's messages look like: version and schema
 * @param from the speaker's lane, {@code host:port}
 * @param to the lane that the speaker believes it speaks to
 */
public record Hello(Purpose purpose, Channel channel, long incarnation, String protocol, String from, String to) {
    /** Most bytes of a frame before both sides know each other. */
    public static final int MAX_FRAME = 1024;

    private static final int MAX_TEXT = 255;
    private static final int MAX_REASON = 512;

    /** What a connection is for. */
    public enum Purpose {
        /** To carry frames. */
        CARRY,
        /** To ask the other side to dial; closed then. */
        CALL
    }

    /** The two connections of a pair of nodes. */
    public enum Channel {
        /** Messages of one frame. */
        STEP,
        /** Messages of several frames, and KV blocks, so that small steps need not wait behind them. */
        BULK;

        /** In lower case, for people. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What a node says that does not let the other one speak. */
    public record Refusal(String reason) {}

    public Hello {
        for (String text : new String[] {protocol, from, to}) {
            if (text.getBytes(StandardCharsets.UTF_8).length > MAX_TEXT) {
                throw new IllegalArgumentException("'%s' is longer than %d bytes".formatted(text, MAX_TEXT));
            }
        }
    }

    /** This as a frame of {@code pool}. */
    public ByteBuffer toFrame(FramePool pool) {
        ByteBuffer frame = begin(pool, FrameKind.HELLO);
        frame.put((byte) (purpose == Purpose.CALL ? 1 : 0));
        frame.put((byte) (channel == Channel.BULK ? 1 : 0));
        frame.putLong(incarnation);
        for (String text : new String[] {protocol, from, to}) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            frame.put((byte) utf8.length).put(utf8);
        }
        return end(frame);
    }

    /** A refusal as a frame of {@code pool}. */
    public static ByteBuffer refusal(FramePool pool, String reason) {
        byte[] utf8 = reason.getBytes(StandardCharsets.UTF_8);
        ByteBuffer frame = begin(pool, FrameKind.REFUSED);
        frame.put(utf8, 0, Math.min(utf8.length, MAX_REASON));
        return end(frame);
    }

    private static ByteBuffer begin(FramePool pool, FrameKind kind) {
        ByteBuffer frame = pool.take(MAX_FRAME);
        frame.put(0, new byte[FrameView.HEADER]);
        frame.putInt(0, FrameView.MAGIC)
                .put(FrameView.AT_VERSION, FrameView.VERSION)
                .put(FrameView.AT_KIND, kind.code);
        return frame.position(FrameView.HEADER);
    }

    private static ByteBuffer end(ByteBuffer frame) {
        frame.flip();
        frame.putInt(FrameView.AT_LENGTH, frame.limit() - FrameView.HEADER);
        new FrameView(frame, 0).seal();
        return frame;
    }

    /**
     * The first frame in {@code in}, a {@link Hello} or a {@link Refusal}; null when more bytes must come first.
     *
     * @throws FrameException if it is neither
     */
    public static @Nullable Record read(ByteBuffer in) throws FrameException {
        if (!FrameView.isWhole(in, MAX_FRAME)) {
            return null;
        }
        FrameView frame = new FrameView(in, in.position());
        in.position(in.position() + FrameView.HEADER + frame.length());
        frame.requireIntact();
        ByteBuffer payload = frame.payload();
        return switch (frame.kind()) {
            case HELLO -> hello(payload);
            case REFUSED -> new Refusal(printable(text(payload, payload.remaining())));
            case PARTIAL, HAND_OFF, OBJECT -> throw malformed("a message before the greeting");
        };
    }

    private static Hello hello(ByteBuffer payload) throws FrameException {
        if (payload.remaining() < 2 + Long.BYTES) {
            throw malformed("a greeting of %d bytes".formatted(payload.remaining()));
        }
        Purpose purpose = isSet(payload) ? Purpose.CALL : Purpose.CARRY;
        Channel channel = isSet(payload) ? Channel.BULK : Channel.STEP;
        long incarnation = payload.getLong();
        String protocol = shortText(payload);
        String from = shortText(payload);
        return new Hello(purpose, channel, incarnation, protocol, from, shortText(payload));
    }

    private static boolean isSet(ByteBuffer payload) throws FrameException {
        byte value = payload.get();
        if (value != 0 && value != 1) {
            throw malformed("%d where 0 or 1 belongs in a greeting".formatted(value));
        }
        return value == 1;
    }

    private static String shortText(ByteBuffer payload) throws FrameException {
        int length = payload.hasRemaining() ? Byte.toUnsignedInt(payload.get()) : 0;
        if (length > payload.remaining()) {
            throw malformed("a text of %d bytes in the %d left".formatted(length, payload.remaining()));
        }
        String text = printable(text(payload, length));
        if (text.getBytes(StandardCharsets.UTF_8).length > MAX_TEXT) {
            throw malformed("a text that is not UTF-8");
        }
        return text;
    }

    private static String text(ByteBuffer payload, int length) {
        byte[] utf8 = new byte[length];
        payload.get(utf8);
        return new String(utf8, StandardCharsets.UTF_8);
    }

    /** What a stranger wrote goes to logs: no line breaks, no control characters. */
    private static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", "?");
    }

    private static FrameException malformed(String what) {
        return new FrameException(FrameException.Fault.MALFORMED, what);
    }
}
