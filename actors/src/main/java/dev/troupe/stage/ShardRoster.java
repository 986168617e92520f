package dev.troupe.stage;

import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * The shards that live on a node now, of any replica and epoch: what the node's guardian answers from, and how it ends
 * shards of an epoch that is superseded. Thread-safe.
 */
public final class ShardRoster {
    private final ConcurrentHashMap<ShardId, Resident> residents = new ConcurrentHashMap<>();
    private final LongAdder staleOfEnded = new LongAdder();

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
        if (residents.remove(resident.id(), resident)) {
            staleOfEnded.add(resident.progress().counts().stale());
        }
    }

    /** Messages of other epochs that shards of this node have dropped, those that have ended included. */
    public long stale() {
        return staleOfEnded.sum()
                + residents.values().stream()
                        .mapToLong(resident -> resident.progress().counts().stale())
                        .sum();
    }
}
