package dev.troupe.config;

import dev.troupe.serving.SchedulerSettings;
import dev.troupe.serving.StepLimits;
import java.time.Duration;

/**
 * How requests become steps ({@code troupe.scheduler}).
 *
 * @param limits of a step, and how many are in flight
 * @param maxGenerations known at a time
 * @param maxReturnedBytes rows that one request may ask for, in bytes
 * @param waits how long to wait for what
 * @param clusterWait how long a request may wait for the cluster to be complete
 */
public record SchedulerConfig(
        StepLimits limits,
        int maxGenerations,
        long maxReturnedBytes,
        SchedulerSettings.Waits waits,
        Duration clusterWait) {
    public SchedulerConfig {
        Check.atLeast("scheduler.max-generations", maxGenerations, 1);
        Check.atLeast("scheduler.max-returned", maxReturnedBytes, 0);
        Check.holds(!clusterWait.isNegative(), "scheduler.waits.cluster", clusterWait, "0 (do not wait) or more");
        Check.positive("scheduler.waits.placement", waits.placement());
        Check.positive("scheduler.waits.retry", waits.retry());
        Check.positive("scheduler.waits.forming", waits.forming());
        Check.positive("scheduler.waits.first-step", waits.firstStep());
        Check.positive("scheduler.waits.least-step", waits.leastStep());
        Check.atLeast("scheduler.waits.capacity", waits.capacity().toMillis(), 0);
    }

    /** For the scheduler of one replica. */
    public SchedulerSettings of(ReplicaConfig replica, int index, int contextLength) {
        return new SchedulerSettings(
                replica.model(),
                index,
                replica.pipelineParallel(),
                replica.tensorParallel(),
                limits,
                contextLength,
                maxGenerations,
                maxReturnedBytes,
                waits);
    }
}
