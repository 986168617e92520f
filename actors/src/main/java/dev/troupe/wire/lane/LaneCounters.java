package dev.troupe.wire.lane;

import java.util.concurrent.atomic.LongAdder;

/** The counters behind {@link LaneStatistics}. */
final class LaneCounters {
    final LongAdder framesSent = new LongAdder();
    final LongAdder bytesSent = new LongAdder();
    final LongAdder framesReceived = new LongAdder();
    final LongAdder bytesReceived = new LongAdder();
    final LongAdder messagesReceived = new LongAdder();
    final LongAdder dropped = new LongAdder();
    final LongAdder unsent = new LongAdder();
    final LongAdder checksumErrors = new LongAdder();
    final LongAdder malformed = new LongAdder();
    final LongAdder refused = new LongAdder();
    final LongAdder lost = new LongAdder();

    LaneStatistics snapshot(int connections, int early) {
        return new LaneStatistics(
                connections,
                framesSent.sum(),
                bytesSent.sum(),
                framesReceived.sum(),
                bytesReceived.sum(),
                messagesReceived.sum(),
                early,
                dropped.sum(),
                unsent.sum(),
                checksumErrors.sum(),
                malformed.sum(),
                refused.sum(),
                lost.sum());
    }
}
