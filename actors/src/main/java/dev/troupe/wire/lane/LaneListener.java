package dev.troupe.wire.lane;

/** Who is told that peers come and go. Called on the lane's I/O thread: it must return at once. */
public interface LaneListener {
    /** Listens to nothing. */
    LaneListener NONE = new LaneListener() {};

    /**
     * A connection to {@code peer} is there.
     *
     * @param incarnation of the peer's process
     */
    default void connected(LaneAddress peer, long incarnation) {}

    /**
     * A connection to {@code peer} has ended or could not be made, and messages are lost: epochs that use it have failed.
     *
     * @param incarnation of the peer's process; 0 when there was no connection yet
     * @param reason for people
     */
    default void lost(LaneAddress peer, long incarnation, String reason) {}
}
