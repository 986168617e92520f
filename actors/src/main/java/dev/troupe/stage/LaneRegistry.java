package dev.troupe.stage;

import org.apache.pekko.actor.typed.ActorRef;

/**
 * Where the tensor lane of a node learns which shards live here. Messages for a registered shard are told to it, those
 * for any other are dropped and counted. Called by shards' threads.
 */
public interface LaneRegistry {
    /** No lane: all peers are reached through their refs. */
    LaneRegistry NONE = new LaneRegistry() {
        @Override
        public void register(ShardId id, ActorRef<TensorShard.Command> shard) {}

        @Override
        public void unregister(ShardId id) {}
    };

    /** From now on frames for {@code id} go to {@code shard}; its epoch is announced by this. */
    void register(ShardId id, ActorRef<TensorShard.Command> shard);

    /** {@code id} has ended; does nothing when it is not registered. */
    void unregister(ShardId id);
}
