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
 * @param slow when a device is too slow to be kept
 * @param prefixCache whether full KV blocks are kept and shared
 * @param clusterWait how long a request may wait for the cluster to be complete
 */
public record SchedulerConfig(
        StepLimits limits,
        int maxGenerations,
        long maxReturnedBytes,
        SchedulerSettings.Waits waits,
        SchedulerSettings.Slow slow,
        boolean prefixCache,
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
        Check.atLeast("scheduler.waits.grow", waits.grow().toMillis(), 0);
        Check.atLeast("scheduler.waits.canary", waits.canary().toMillis(), 0);
        Check.holds(slow.factor() >= 1.5, "scheduler.slow.factor", slow.factor(), "at least 1.5");
        Check.atLeast("scheduler.slow.after", slow.after().toMillis(), 0);
        Check.positive("scheduler.slow.avoid", slow.avoid());
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
                waits,
                slow,
                prefixCache);
    }

    /** The same for a replica that has nowhere else to go: it keeps slow devices, does not grow, and sends no canaries. */
    public SchedulerConfig alone() {
        return new SchedulerConfig(
                limits,
                maxGenerations,
                maxReturnedBytes,
                waits.withGrow(Duration.ZERO).withCanary(Duration.ZERO),
                SchedulerSettings.Slow.WATCHED,
                prefixCache,
                clusterWait);
    }
}
