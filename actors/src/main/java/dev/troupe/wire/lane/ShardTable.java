package dev.troupe.wire.lane;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorMessage;
import dev.troupe.stage.TensorShard;
import dev.troupe.wire.frame.Delivery;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * Whom the lane's messages are for: the shards of this node, and what has come early for shards of a known epoch that
 * are not here yet. Everything else is fenced. Thread-safe.
 */
final class ShardTable {
    /** Epochs that are announced without a shard; a node that hears of more has missed the end of the oldest. */
    private static final int MOST_ANNOUNCED = 16;

    private final long earlyBytes;
    private final LaneCounters counters;
    private final ConcurrentHashMap<ShardId, ActorRef<TensorShard.Command>> shards = new ConcurrentHashMap<>();
    // Guarded by this:
    private final TreeMap<Epoch, Known> epochs = new TreeMap<>();
    private long keptBytes;
    private int keptMessages;

    /** An epoch that is joined or announced. */
    private static final class Known {
        int shards;
        final Map<ShardId, List<Delivery>> early = new HashMap<>();
    }

    ShardTable(long earlyBytes, LaneCounters counters) {
        this.earlyBytes = earlyBytes;
        this.counters = counters;
    }

    void deliver(Delivery delivery) {
        ActorRef<TensorShard.Command> shard = shards.get(delivery.target());
        if (shard == null) {
            shard = keep(delivery);
        }
        if (shard != null) {
            tell(shard, delivery.message());
        }
    }

    /** The shard, should it have come in between; else the message is kept or dropped. */
    private synchronized @Nullable ActorRef<TensorShard.Command> keep(Delivery delivery) {
        ShardId target = delivery.target();
        ActorRef<TensorShard.Command> shard = shards.get(target);
        if (shard != null) {
            return shard;
        }
        Known known = epochs.get(target.epoch());
        if (known == null || keptBytes + delivery.bytes() > earlyBytes) {
            counters.dropped.increment();
            return null;
        }
        known.early.computeIfAbsent(target, id -> new ArrayList<>()).add(delivery);
        keptBytes += delivery.bytes();
        keptMessages++;
        return null;
    }

    synchronized void register(ShardId id, ActorRef<TensorShard.Command> shard) {
        Known known = epochs.computeIfAbsent(id.epoch(), epoch -> new Known());
        List<Delivery> early = known.early.remove(id);
        if (early != null) {
            release(early);
            early.forEach(delivery -> tell(shard, delivery.message()));
        }
        if (shards.put(id, shard) == null) {
            known.shards++;
        }
    }

    synchronized void unregister(ShardId id) {
        Known known = epochs.get(id.epoch());
        if (shards.remove(id) != null && known != null && --known.shards == 0) {
            forget(id.epoch());
        }
    }

    synchronized void announce(Epoch epoch) {
        epochs.computeIfAbsent(epoch, e -> new Known());
        long announced =
                epochs.values().stream().filter(known -> known.shards == 0).count();
        if (announced > MOST_ANNOUNCED) {
            epochs.entrySet().stream()
                    .filter(entry -> entry.getValue().shards == 0)
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .ifPresent(this::forget);
        }
    }

    private void forget(Epoch epoch) {
        Known known = epochs.remove(epoch);
        if (known != null) {
            for (List<Delivery> early : known.early.values()) {
                release(early);
                counters.dropped.add(early.size());
            }
        }
    }

    private void release(List<Delivery> early) {
        keptMessages -= early.size();
        keptBytes -= early.stream().mapToLong(Delivery::bytes).sum();
    }

    private void tell(ActorRef<TensorShard.Command> shard, TensorMessage message) {
        counters.messagesReceived.increment();
        shard.tell(message);
    }

    synchronized int early() {
        return keptMessages;
    }
}
