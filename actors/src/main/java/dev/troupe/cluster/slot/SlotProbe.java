package dev.troupe.cluster.slot;

import dev.troupe.cluster.identity.Slot;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;

/**
 * An entity in every slot, for every kind, that only says that it is there. Its answer proves that the asking node's region
 * knows the slot's home and that the home has started the cluster shard, which is all that a later message needs.
 */
public final class SlotProbe {
    private static final String NAME = "probe";

    private SlotProbe() {}

    /** Are you there? */
    public record Ask(ActorRef<Here> replyTo) {}

    /**
     * I am here.
     *
     * @param kind name of the entity type
     */
    public record Here(String kind, Slot slot) {}

    static String entityId(Slot slot) {
        return slot.entity(NAME);
    }

    static boolean isProbe(String entityId, Slot slot) {
        return entityId.equals(entityId(slot));
    }

    /** The same region, for a message that is not its entities'. Pekko finds regions by the name of the key alone. */
    static EntityTypeKey<Ask> key(EntityKind<?> kind) {
        return EntityTypeKey.create(Ask.class, kind.key().name());
    }

    /**
     * A probe of {@code kind}. It is typed as its kind's entities are, because they share a region; whatever is no
     * question ends it.
     */
    @SuppressWarnings("unchecked") // What comes is looked at before it is used.
    static <M> Behavior<M> create(EntityKind<M> kind, Slot slot) {
        Behavior<Object> behavior = Behaviors.receiveMessage(message -> {
            if (message instanceof Ask ask) {
                ask.replyTo().tell(new Here(kind.key().name(), slot));
                return Behaviors.same();
            }
            return Behaviors.stopped();
        });
        return (Behavior<M>) (Behavior<?>) behavior;
    }
}
