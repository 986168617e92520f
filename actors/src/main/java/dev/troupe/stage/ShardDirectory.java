package dev.troupe.stage;

import org.apache.pekko.actor.typed.RecipientRef;

/** How a pipeline stage reaches ranks that may not exist yet: entities of a cluster, or actors spawned when asked for. */
@FunctionalInterface
public interface ShardDirectory {
    /** The shard {@code id} on the slot that {@code plan} wants it on. */
    RecipientRef<TensorShard.Command> shard(ShardId id, ReplicaPlan plan);
}
