package dev.troupe.wire.lane;

import java.time.Duration;

/**
 * How a node's tensor lane behaves.
 *
 * @param bindHost where to listen; anything but loopback needs TLS
 * @param bindPort where to listen; 0 takes a free one
 * @param host how other nodes reach this one
 * @param port how other nodes reach this one; 0 is the port that was bound
 * @param incarnation of this process; another one after every start
 * @param maxFrame most bytes of a frame; larger tensors are split
 * @param queueBytes most bytes that wait for one connection; more means that the peer is lost
 * @param earlyBytes most bytes kept for shards that are not here yet
 * @param handshake a stranger must have said who it is within this time, and a peer must have answered a call
 * @param redial a peer that could not be reached is not tried again before this time has passed
 * @param maxStrangers most connections at a time whose other side is not known yet
 */
public record LaneSettings(
        String bindHost,
        int bindPort,
        String host,
        int port,
        long incarnation,
        int maxFrame,
        long queueBytes,
        long earlyBytes,
        Duration handshake,
        Duration redial,
        int maxStrangers) {
    private static final int LEAST_FRAME = 4 * 1024;
    private static final int MOST_FRAME = 16 * 1024 * 1024;

    public LaneSettings {
        require(maxFrame >= LEAST_FRAME && maxFrame <= MOST_FRAME, "max-frame", maxFrame, "4 KiB to 16 MiB");
        require(queueBytes >= maxFrame, "queue-bytes", queueBytes, "at least max-frame = " + maxFrame);
        require(earlyBytes >= 0, "early-bytes", earlyBytes, "0 or more");
        require(handshake.isPositive(), "handshake", handshake, "more than 0");
        require(!redial.isNegative(), "redial", redial, "0 or more");
        require(maxStrangers > 0, "max-strangers", maxStrangers, "at least 1");
    }

    private static void require(boolean holds, String key, Object value, String expected) {
        if (!holds) {
            throw new IllegalArgumentException(
                    "%s = %s of the tensor lane, expected %s".formatted(key, value, expected));
        }
    }

    /** The defaults, for one address that is both bound and known to others. */
    public static LaneSettings of(String host, int port, long incarnation) {
        return new LaneSettings(
                host,
                port,
                host,
                port,
                incarnation,
                256 * 1024,
                64L * 1024 * 1024,
                64L * 1024 * 1024,
                Duration.ofSeconds(5),
                Duration.ofMillis(200),
                128);
    }
}
