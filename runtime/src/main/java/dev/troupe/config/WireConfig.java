package dev.troupe.config;

import dev.troupe.wire.tls.TlsFiles;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * The roads between nodes ({@code troupe.wire}).
 *
 * @param tensors which road floats ride
 * @param lanePort of the lane as others reach it; 0 is the port that was bound
 * @param bindLanePort where the lane listens; 0 takes a free port
 * @param frameBytes most bytes of a frame
 * @param queueBytes most bytes that wait for one connection
 * @param earlyBytes most bytes kept for shards that are not here yet
 * @param handshake a stranger must have said who it is within this time
 * @param tls mutual TLS on both roads, or empty for none
 */
public record WireConfig(
        Road tensors,
        int lanePort,
        int bindLanePort,
        int frameBytes,
        long queueBytes,
        long earlyBytes,
        Duration handshake,
        Optional<Tls> tls) {
    private static final int LEAST_FRAME = 4 * 1024;
    private static final int MOST_FRAME = 16 * 1024 * 1024;

    /** Roads for floats. */
    public enum Road {
        /** Framed TCP of our own. */
        LANE,
        /** Pekko's, like every other message. */
        ARTERY
    }

    /**
     * Files in PEM, relative to where the process runs.
     *
     * @param ca certificate that signed all nodes' certificates
     * @param certificate this node's
     * @param key its private key
     */
    public record Tls(Path ca, Path certificate, Path key) {
        /** The same for whoever reads them. */
        public TlsFiles files() {
            return new TlsFiles(ca, certificate, key);
        }
    }

    public WireConfig {
        Check.port("wire.lane-port", lanePort);
        Check.port("wire.bind-lane-port", bindLanePort);
        Check.holds(
                frameBytes >= LEAST_FRAME && frameBytes <= MOST_FRAME,
                "wire.frame-bytes",
                frameBytes,
                "4 KiB to 16 MiB");
        Check.holds(
                queueBytes >= frameBytes,
                "wire.queue-bytes",
                queueBytes,
                "at least troupe.wire.frame-bytes = " + frameBytes);
        Check.atLeast("wire.early-bytes", earlyBytes, 0);
        Check.positive("wire.handshake", handshake);
    }
}
