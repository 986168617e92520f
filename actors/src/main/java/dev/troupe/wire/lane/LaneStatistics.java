package dev.troupe.wire.lane;

/**
 * What a lane has done since it was opened.
 *
 * @param connections open now, two a peer at most
 * @param framesSent handed to the operating system whole
 * @param bytesSent of those frames
 * @param framesReceived whole and intact
 * @param bytesReceived of messages
 * @param messagesReceived told to a shard
 * @param early messages that wait now for a shard that is not here yet
 * @param dropped messages for an epoch neither joined nor announced, or beyond the bound for early ones
 * @param unsent frames given up because their peer was lost or cannot be reached
 * @param checksumErrors frames whose bytes changed on their way
 * @param malformed connections ended because of bytes that are no frame
 * @param refused connections ended before they were open: strangers, other versions, no or wrong certificates, too slow
 * @param lost connections to peers that ended or could not be made
 */
public record LaneStatistics(
        int connections,
        long framesSent,
        long bytesSent,
        long framesReceived,
        long bytesReceived,
        long messagesReceived,
        int early,
        long dropped,
        long unsent,
        long checksumErrors,
        long malformed,
        long refused,
        long lost) {}
