package dev.troupe.serving.meter;

import java.util.List;

/**
 * What the steps of an epoch cost and how full they keep its stages. Steps that were computed for nobody are not in it.
 *
 * @param busyNanos that steps were in flight, in nanoseconds
 * @param stages what they cost each stage, ascending
 * @param ranks what each rank has done, as of the last look; nothing before the first, and where nobody looks
 * @param stepSeconds how long steps took from the scheduler and back, in seconds. Their sum over the time that steps were in flight is
 *     how many were in flight on average (Little 1961)
 * @param stepTokens how many tokens steps computed
 * @param stepSequences how many sequences took part in steps
 * @param recent the newest steps, oldest first
 */
public record PipelineStats(
        long busyNanos,
        List<StageUsage> stages,
        List<RankUsage> ranks,
        Histogram stepSeconds,
        Histogram stepTokens,
        Histogram stepSequences,
        List<StepTrace> recent) {
    /** Without an epoch. */
    public static final PipelineStats NONE =
            new PipelineStats(0, List.of(), List.of(), Histogram.NONE, Histogram.NONE, Histogram.NONE, List.of());

    public PipelineStats {
        stages = List.copyOf(stages);
        ranks = List.copyOf(ranks);
        recent = List.copyOf(recent);
    }

    /**
     * The bubble of a pipeline that is filled with micro-batches of equal length and then drained (Huang et al. 2019, "GPipe",
     * section 2.3): (S − 1) / (M + S − 1). One that is kept full does better.
     *
     * @param stages S
     * @param microBatches M, at least 1 and not necessarily whole
     */
    public static double idealBubble(int stages, double microBatches) {
        return (stages - 1) / (microBatches + stages - 1);
    }
}
