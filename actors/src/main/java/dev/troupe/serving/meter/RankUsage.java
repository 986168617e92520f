package dev.troupe.serving.meter;

/**
 * What one rank has done in an epoch, as of the last look at it.
 *
 * @param stage 0-based
 * @param rank 0-based
 * @param computeNanos in local work, without embedding rows and logits, in nanoseconds
 * @param exchangeNanos that steps were open and none could be computed because partials were on the way, in nanoseconds
 */
public record RankUsage(int stage, int rank, long computeNanos, long exchangeNanos) {}
