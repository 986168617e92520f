package dev.troupe.serving;

import dev.troupe.kvcache.PrefixCounts;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import org.jspecify.annotations.Nullable;

/**
 * What a scheduler has done and has to do, for reports.
 *
 * @param epoch the current one, or the last
 * @param serving whether steps can be planned
 * @param epochsLost epochs that ended by a loss
 * @param epochsLeft epochs that were left for one without a slow device, or with a larger split
 * @param generations known, running and waiting
 * @param runningSequences sequences that hold KV blocks
 * @param waitingSequences sequences that wait for them
 * @param steps retired, in all epochs
 * @param tokens computed by them
 * @param completionTokens drawn by them
 * @param preemptions sequences put back because blocks ran out
 * @param staleResults results dropped: of other epochs, or repeated
 * @param blocks KV blocks in all
 * @param freeBlocks KV blocks that can be allocated, those that are only kept to be found again among them
 * @param retiringBlocks KV blocks that wait for a step to retire
 * @param prefixes how much was found instead of computed, in all epochs
 * @param plan who hosts what in this epoch, or null while it does not serve
 * @param pipeline what the steps of this epoch cost
 */
public record SchedulerStats(
        Epoch epoch,
        boolean serving,
        long epochsLost,
        long epochsLeft,
        int generations,
        int runningSequences,
        int waitingSequences,
        long steps,
        long tokens,
        long completionTokens,
        long preemptions,
        long staleResults,
        int blocks,
        int freeBlocks,
        int retiringBlocks,
        PrefixCounts prefixes,
        @Nullable ReplicaPlan plan,
        PipelineStats pipeline) {
    /** KV blocks that sequences hold. */
    public int usedBlocks() {
        return blocks - freeBlocks - retiringBlocks;
    }
}
