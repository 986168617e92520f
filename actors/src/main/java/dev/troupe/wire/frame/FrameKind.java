package dev.troupe.wire.frame;

/** What a frame carries. The codes are for ever. */
enum FrameKind {
    /** Who speaks: the first frame of either side. */
    HELLO(1),
    /** Why the other side may not speak: its only frame. */
    REFUSED(2),
    /** A piece of a {@link dev.troupe.stage.Partial}. */
    PARTIAL(3),
    /** A piece of a {@link dev.troupe.stage.HandOff}, its batch as metadata. */
    HAND_OFF(4),
    /** Any other message of the tensor lane, all of it as metadata. */
    OBJECT(5);

    final byte code;

    FrameKind(int code) {
        this.code = (byte) code;
    }

    static FrameKind of(byte code) throws FrameException {
        for (FrameKind kind : values()) {
            if (kind.code == code) {
                return kind;
            }
        }
        throw new FrameException(FrameException.Fault.MALFORMED, "kind=%d, expected 1 to 5".formatted(code));
    }
}
