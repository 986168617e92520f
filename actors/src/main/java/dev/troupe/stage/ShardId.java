package dev.troupe.stage;

/**
 * Which rank of which stage of which membership: one rank in the whole cluster, also where replicas share nodes, because
 * an epoch is issued once, for one replica of one model.
 *
 * @param stage 0-based
 * @param rank 0-based tensor-parallel rank
 */
public record ShardId(Epoch epoch, int stage, int rank) {}
