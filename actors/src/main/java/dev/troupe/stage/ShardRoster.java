package dev.troupe.stage;

import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * The shards that live on a node now, of any replica and epoch: what the node's guardian answers from, and how it ends
 * shards of an epoch that is superseded. Thread-safe.
 */
public final class ShardRoster {
    private final ConcurrentHashMap<ShardId, Resident> residents = new ConcurrentHashMap<>();

    /**
     * A shard on this node.
     *
     * @param slot where it runs
     * @param ref its actor
     */
    public record Resident(String slot, ShardProgress progress, ActorRef<TensorShard.Command> ref) {
        /** Which shard. */
        public ShardId id() {
            return progress.id();
        }
    }

    /** All shards now, in no order. */
    public List<Resident> residents() {
        return List.copyOf(residents.values());
    }

    void add(Resident resident) {
        residents.put(resident.id(), resident);
    }

    void remove(Resident resident) {
        residents.remove(resident.id(), resident);
    }
}
