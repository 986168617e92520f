package dev.troupe.wire.frame;

/** Bytes that are no frame of this lane. Its message says what was found and what was expected. */
public final class FrameException extends Exception {
    private static final long serialVersionUID = 1L;

    private final Fault fault;

    /** Kinds of faults, as they are counted. */
    public enum Fault {
        /** No frame at all, or one whose fields contradict each other. */
        MALFORMED,
        /** A frame of another version of the lane. */
        VERSION,
        /** The checksum does not match: bytes changed on their way. */
        CHECKSUM
    }

    public FrameException(Fault fault, String message) {
        super(message);
        this.fault = fault;
    }

    public Fault fault() {
        return fault;
    }
}
