package dev.troupe.stage;

/**
 * What one step cost one stage, as its rank 0 saw it. Travels with the step from stage to stage and back to the
 * scheduler.
 *
 * @param stage 0-based
 * @param computeNanos time in the step's own local work, in nanoseconds
 * @param waitNanos the rest of the time from the step's start to its end on this rank: partials on the way, and other
 *     steps' work in between, in nanoseconds
 * @param bytesSent payload of the partials and hidden states sent, in bytes
 * @param openedNanos the step's start, by the clock of this rank, which says nothing about any other rank's, in nanoseconds
 * @param exchangeNanos how long this rank had nothing to compute because partials were on the way, until the step could go on,
 *     in nanoseconds
 */
public record StageWork(
        int stage, long computeNanos, long waitNanos, long bytesSent, long openedNanos, long exchangeNanos) {
    /** The step's end on this rank, by the same clock as its start, in nanoseconds. */
    public long endedNanos() {
        return openedNanos + computeNanos + waitNanos;
    }
}
