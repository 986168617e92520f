package dev.troupe.serving;

import java.time.Duration;

/**
 * What one scheduler serves and how.
 *
 * @param model registered id
 * @param replica 0-based
 * @param pipelineParallel stages
 * @param tensorParallel ranks of every stage
 * @param limits of a step
 * @param contextLength positions that the model was made for
 * @param maxGenerations generations known at a time, running and waiting; more are refused
 * @param maxReturnedBytes rows of logits that one request may ask for, in bytes
 * @param waits how long to wait for what
 * @param slow when a rank is too slow to be kept where it is
 * @param prefixCache whether full KV blocks are kept and shared by sequences that begin with the same tokens
 */
public record SchedulerSettings(
        String model,
        int replica,
        int pipelineParallel,
        int tensorParallel,
        StepLimits limits,
        int contextLength,
        int maxGenerations,
        long maxReturnedBytes,
        Waits waits,
        Slow slow,
        boolean prefixCache) {

    /** Settings that take ranks as slow as they are, and keep KV blocks. */
    public SchedulerSettings(
            String model,
            int replica,
            int pipelineParallel,
            int tensorParallel,
            StepLimits limits,
            int contextLength,
            int maxGenerations,
            long maxReturnedBytes,
            Waits waits) {
        this(
                model,
                replica,
                pipelineParallel,
                tensorParallel,
                limits,
                contextLength,
                maxGenerations,
                maxReturnedBytes,
                waits,
                Slow.NEVER,
                true);
    }

    /**
     * When a device counts as slow.
     *
     * @param factor how many times as long as others it takes for the same work
     * @param after for how long it must be that slow; zero never minds
     * @param avoid for how long it gets no ranks then; twice as long each time that it is found slow again
     */
    public record Slow(double factor, Duration after, Duration avoid) {
        /** Slow devices are kept. */
        public static final Slow NEVER = new Slow(3, Duration.ZERO, Duration.ofSeconds(30));

        /** Devices are looked at, for reports, and kept however slow they are. */
        public static final Slow WATCHED =
                new Slow(Double.POSITIVE_INFINITY, Duration.ofSeconds(3), Duration.ofSeconds(30));

        /** Whether it is looked for. */
        boolean isWatched() {
            return after.isPositive();
        }
    }

    /**
     * Time limits.
     *
     * @param placement for slots and a ballot
     * @param retry between two attempts to get an epoch
     * @param forming for all ranks to load
     * @param firstStep for the first result of an epoch
     * @param leastStep for any other result, at least
     * @param capacity for nodes to come back, while there is no epoch
     * @param grow for a larger split to stay possible before the replica takes it; zero never grows
     * @param canary between two steps that prove the devices of an idle replica; zero sends none
     */
    public record Waits(
            Duration placement,
            Duration retry,
            Duration forming,
            Duration firstStep,
            Duration leastStep,
            Duration capacity,
            Duration grow,
            Duration canary) {
        /** Without growing back and without canaries. */
        public Waits(
                Duration placement,
                Duration retry,
                Duration forming,
                Duration firstStep,
                Duration leastStep,
                Duration capacity) {
            this(placement, retry, forming, firstStep, leastStep, capacity, Duration.ZERO, Duration.ZERO);
        }

        /** The same with another wait for capacity. */
        public Waits withCapacity(Duration time) {
            return new Waits(placement, retry, forming, firstStep, leastStep, time, grow, canary);
        }

        /** The same with another wait before growing. */
        public Waits withGrow(Duration time) {
            return new Waits(placement, retry, forming, firstStep, leastStep, capacity, time, canary);
        }

        /** The same with another time between canaries. */
        public Waits withCanary(Duration time) {
            return new Waits(placement, retry, forming, firstStep, leastStep, capacity, grow, time);
        }
    }

    /** The same with other time limits. */
    public SchedulerSettings withWaits(Waits others) {
        return new SchedulerSettings(
                model,
                replica,
                pipelineParallel,
                tensorParallel,
                limits,
                contextLength,
                maxGenerations,
                maxReturnedBytes,
                others,
                slow,
                prefixCache);
    }

    /** The same with another idea of slow devices. */
    public SchedulerSettings withSlow(Slow other) {
        return new SchedulerSettings(
                model,
                replica,
                pipelineParallel,
                tensorParallel,
                limits,
                contextLength,
                maxGenerations,
                maxReturnedBytes,
                waits,
                other,
                prefixCache);
    }

    /** The same with KV blocks kept, or not. */
    public SchedulerSettings withPrefixCache(boolean kept) {
        return new SchedulerSettings(
                model,
                replica,
                pipelineParallel,
                tensorParallel,
                limits,
                contextLength,
                maxGenerations,
                maxReturnedBytes,
                waits,
                slow,
                kept);
    }
}
