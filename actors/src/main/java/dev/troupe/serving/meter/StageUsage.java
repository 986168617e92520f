package dev.troupe.serving.meter;

/**
 * What all steps of an epoch cost one stage, as its rank 0 saw it. While steps are in flight a stage computes, waits in an
 * exchange, or has no step: the last is its bubble.
 *
 * @param stage 0-based
 * @param computeNanos in local work, in nanoseconds
 * @param waitNanos that steps were open and not computed, summed over steps, in nanoseconds
 * @param exchangeNanos that steps were open and none could be computed because partials were on the way, in nanoseconds
 * @param bubbleNanos that steps were in flight and none was open here, in nanoseconds
 * @param bytesSent payload of partials and hidden states, in bytes
 */
public record StageUsage(
        int stage, long computeNanos, long waitNanos, long exchangeNanos, long bubbleNanos, long bytesSent) {}
