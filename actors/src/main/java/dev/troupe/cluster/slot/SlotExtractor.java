package dev.troupe.cluster.slot;

import org.apache.pekko.cluster.sharding.typed.ShardingEnvelope;
import org.apache.pekko.cluster.sharding.typed.ShardingMessageExtractor;

/**
 * Says that the cluster shard of an entity is the slot that its id names after {@code @}. It runs inside Pekko's region and
 * must not throw: an id without a slot is its own shard, which {@link BySlotAllocation} refuses.
 */
final class SlotExtractor<M> extends ShardingMessageExtractor<ShardingEnvelope<M>, M> {
    @Override
    public String entityId(ShardingEnvelope<M> envelope) {
        return envelope.entityId();
    }

    @Override
    public String shardId(String entityId) {
        return entityId.substring(entityId.lastIndexOf('@') + 1);
    }

    @Override
    public M unwrapMessage(ShardingEnvelope<M> envelope) {
        return envelope.message();
    }
}
