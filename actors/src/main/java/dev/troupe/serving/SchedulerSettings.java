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
        Waits waits) {

    /**
     * Time limits.
     *
     * @param placement for slots and a ballot
     * @param retry between two attempts to get an epoch
     * @param forming for all ranks to load
     * @param firstStep for the first result of an epoch
     * @param leastStep for any other result, at least
     * @param capacity for nodes to come back, while there is no epoch
     */
    public record Waits(
            Duration placement,
            Duration retry,
            Duration forming,
            Duration firstStep,
            Duration leastStep,
            Duration capacity) {
        /** Generous ones: a busy machine is not a lost one. */
        public static Waits standard() {
            return new Waits(
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(1),
                    Duration.ofMinutes(10),
                    Duration.ofSeconds(60),
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(30));
        }

        /** The same with another wait for capacity. */
        public Waits withCapacity(Duration time) {
            return new Waits(placement, retry, forming, firstStep, leastStep, time);
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
                others);
    }

    /** Settings with the usual limits: one step in flight for every stage. */
    public static SchedulerSettings standard(
            String model, int pipelineParallel, int tensorParallel, int contextLength) {
        return new SchedulerSettings(
                model,
                0,
                pipelineParallel,
                tensorParallel,
                StepLimits.standard(pipelineParallel),
                contextLength,
                1024,
                256L << 20,
                Waits.standard());
    }
}
