package dev.troupe.serving;

import dev.troupe.kvcache.PrefixCounts;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import org.jspecify.annotations.Nullable;

/** What a scheduler has counted over all its epochs. Owned by one thread. */
final class Tally {
    private long epochsLost;
    private long epochsLeft;
    private long staleResults;
    private long steps;
    private long tokens;
    private long completionTokens;
    private long preemptions;
    private PrefixCounts prefixes = PrefixCounts.NONE;

    /** A result was dropped. */
    void dropped() {
        staleResults++;
    }

    /** An epoch was lost; its steps, if it had come to any, count on. */
    void lost(@Nullable EpochSteps lost) {
        epochsLost++;
        add(lost);
    }

    /** An epoch was left for a better one. */
    void left(@Nullable EpochSteps left) {
        epochsLeft++;
        add(left);
    }

    private void add(@Nullable EpochSteps lost) {
        if (lost != null) {
            steps += lost.steps();
            tokens += lost.tokens();
            completionTokens += lost.completionTokens();
            preemptions += lost.planner().preemptions();
            prefixes = lost.planner().prefixes().plusEnded(prefixes);
        }
    }

    /**
     * All counts.
     *
     * @param epoch the current or last one
     * @param current the current one's steps, or null if it does not serve
     * @param plan the current one's plan, or null if there is none
     */
    SchedulerStats stats(Epoch epoch, int generations, @Nullable EpochSteps current, @Nullable ReplicaPlan plan) {
        if (current == null) {
            return new SchedulerStats(
                    epoch,
                    false,
                    epochsLost,
                    epochsLeft,
                    generations,
                    0,
                    generations,
                    steps,
                    tokens,
                    completionTokens,
                    preemptions,
                    staleResults,
                    0,
                    0,
                    0,
                    PrefixCounts.NONE.plusEnded(prefixes),
                    null,
                    PipelineStats.NONE);
        }
        StepPlanner planner = current.planner();
        return new SchedulerStats(
                epoch,
                true,
                epochsLost,
                epochsLeft,
                generations,
                planner.sequences().size() - planner.waiting(),
                planner.waiting(),
                steps + current.steps(),
                tokens + current.tokens(),
                completionTokens + current.completionTokens(),
                preemptions + planner.preemptions(),
                staleResults,
                planner.pool().total(),
                planner.pool().free(),
                planner.pool().retiring(),
                planner.prefixes().plusEnded(prefixes),
                plan,
                current.pipeline());
    }
}
