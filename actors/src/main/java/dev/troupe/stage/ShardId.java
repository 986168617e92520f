package dev.troupe.stage;

/**
 * Which rank of which stage of which membership.
 *
 * @param stage 0-based
 * @param rank 0-based tensor-parallel rank
 */
public record ShardId(Epoch epoch, int stage, int rank) {}
