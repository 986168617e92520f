package dev.troupe.cluster.slot;

import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;

/**
 * One type of sharded entity that lives in slots.
 *
 * @param key names the type; the same on all nodes
 * @param role slots of which role its entities live in
 * @param stopMessage on which an entity must stop
 * @param props which dispatcher an entity runs on
 * @param factory makes an entity of this node
 */
public record EntityKind<M>(EntityTypeKey<M> key, NodeRole role, M stopMessage, Props props, Factory<M> factory) {
    /** A kind whose entities run on the default dispatcher. */
    public static <M> EntityKind<M> of(EntityTypeKey<M> key, NodeRole role, M stopMessage, Factory<M> factory) {
        return new EntityKind<>(key, role, stopMessage, Props.empty(), factory);
    }

    /** Makes entities. */
    @FunctionalInterface
    public interface Factory<M> {
        /**
         * The behaviour of one entity.
         *
         * @param slot a slot of this node
         * @param entityId its whole id, {@code name@slot}
         */
        Behavior<M> create(Slot slot, String entityId);
    }
}
