package dev.troupe.stage;

import java.util.HashSet;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;

/** Which shards the lane would know. */
final class RememberedShards implements LaneRegistry {
    private final Set<ShardId> ids = new HashSet<>();

    @Override
    public synchronized void register(ShardId id, ActorRef<TensorShard.Command> shard) {
        ids.add(id);
    }

    @Override
    public synchronized void unregister(ShardId id) {
        ids.remove(id);
    }

    synchronized Set<ShardId> ids() {
        return Set.copyOf(ids);
    }
}
