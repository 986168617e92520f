package dev.troupe.serving.meter;

import java.util.List;

/**
 * When one step was where. All times are by the scheduler's clock, since the epoch began to serve. Those of stages have been moved
 * there from the clocks of their ranks, which is as exact as the shortest way of a message from stage to stage; their lengths are
 * measured.
 *
 * @param step number in the epoch
 * @param sequences that took part
 * @param tokens computed
 * @param sentNanos to the first stage, in nanoseconds
 * @param retiredNanos when its result was there, in nanoseconds
 * @param stages its spans, by stage
 */
public record StepTrace(long step, int sequences, int tokens, long sentNanos, long retiredNanos, List<Span> stages) {
    public StepTrace {
        stages = List.copyOf(stages);
    }

    /** From the start of a step on rank 0 of a stage to its end there, in nanoseconds. */
    public record Span(long startNanos, long endNanos) {}
}
