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
 */
public record StageWork(int stage, long computeNanos, long waitNanos, long bytesSent) {}
