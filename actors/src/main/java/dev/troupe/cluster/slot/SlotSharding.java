package dev.troupe.cluster.slot;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.sharding.typed.ClusterShardingSettings;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.Entity;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityRef;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.cluster.typed.Cluster;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Cluster sharding with slots for shards: starts the regions of all entity kinds on this node, and gives references to
 * entities. All nodes start all kinds; whether an entity lives on a node is up to its slot.
 */
public final class SlotSharding {
    private static final Logger LOG = LoggerFactory.getLogger(SlotSharding.class);
    private static final Set<MemberStatus> HERE_TO_STAY =
            Set.of(MemberStatus.joining(), MemberStatus.weaklyUp(), MemberStatus.up());
    private static final Duration RETRY = Duration.ofMillis(250);

    /** Fast while a node joins; a small bound on what waits for a slot that has no home. */
    private static final String SETTINGS = "retry-interval = 500ms, buffer-size = 1000";

    private final ActorSystem<?> system;
    private final Incarnation self;
    private final Map<String, EntityKind<?>> kinds = new ConcurrentHashMap<>();
    private final SlotHomes homes;
    private final Supplier<Set<Incarnation>> lost;

    /**
     * @param homes where to publish what is known
     * @param lost members that are lost or leave: their slots get no home any more
     */
    public SlotSharding(ActorSystem<?> system, SlotHomes homes, Supplier<Set<Incarnation>> lost) {
        this.lost = lost;
        this.system = system;
        this.self = Incarnation.self(system);
        this.homes = homes;
    }

    /** Starts the regions of {@code kinds}; once, before anything else. */
    public void start(List<EntityKind<?>> wanted) {
        wanted.forEach(kind -> kinds.put(kind.key().name(), kind));
        ClusterShardingSettings settings = settings(system);
        wanted.forEach(kind -> init(kind, settings));
    }

    /**
     * Starts the resolver. The node's guardian must be there.
     *
     * @param met gets what members say about themselves, again and again
     */
    public ActorRef<SlotResolver.Command> resolve(Consumer<NodeInfo> met) {
        Map<String, NodeRole> roles = kinds.values().stream()
                .collect(Collectors.toMap(kind -> kind.key().name(), EntityKind::role));
        return system.systemActorOf(
                SlotResolver.create(new SlotResolver.Setup(self, roles, this::probe, met, homes, RETRY)),
                "troupe-slots",
                Props.empty());
    }

    /**
     * The entity of that id. It starts with the first message; messages are delivered at once when the slot's home is
     * known.
     *
     * @throws IllegalArgumentException if the id names no slot, or a slot where this kind does not live
     */
    public <M> EntityRef<M> entity(EntityTypeKey<M> key, String entityId) {
        Slot slot = Slot.ofEntity(entityId);
        EntityKind<?> kind = kinds.get(key.name());
        if (kind == null || kind.role() != slot.role()) {
            throw new IllegalArgumentException("no entity of kind %s lives in slot %s; kinds and their slots: %s"
                    .formatted(
                            key.name(),
                            slot,
                            kinds.values().stream()
                                    .map(k -> k.key().name() + " in " + k.role().label())
                                    .sorted()
                                    .collect(Collectors.joining(", "))));
        }
        return ClusterSharding.get(system).entityRefFor(key, entityId);
    }

    private void probe(SlotBook.Home home, SlotProbe.Ask ask) {
        EntityKind<?> kind = kinds.get(home.kind());
        if (kind != null) {
            ClusterSharding.get(system)
                    .entityRefFor(SlotProbe.key(kind), SlotProbe.entityId(home.slot()))
                    .tell(ask);
        }
    }

    private <M> void init(EntityKind<M> kind, ClusterShardingSettings settings) {
        ClusterSharding.get(system)
                .init(Entity.of(kind.key(), entity -> behavior(kind, entity.getEntityId()))
                        .withMessageExtractor(new SlotExtractor<>())
                        .withAllocationStrategy(new BySlotAllocation(self, this::members))
                        .withStopMessage(kind.stopMessage())
                        .withEntityProps(kind.props())
                        .withSettings(settings));
    }

    private <M> Behavior<M> behavior(EntityKind<M> kind, String entityId) {
        Slot slot = Slot.ofEntity(entityId);
        if (!slot.node().equals(self)) {
            return nobody(entityId);
        }
        return SlotProbe.isProbe(entityId, slot)
                ? SlotProbe.create(kind, slot)
                : kind.factory().create(slot, entityId);
    }

    /** An entity of another life of this node came here by mistake: it does nothing. */
    private <M> Behavior<M> nobody(String entityId) {
        return Behaviors.receiveMessage(message -> {
            LOG.warn("dropped {} to {}: this is {}", message.getClass().getName(), entityId, self);
            return Behaviors.stopped();
        });
    }

    private Collection<Incarnation> members() {
        return StreamSupport.stream(Cluster.get(system).state().getMembers().spliterator(), false)
                .filter(member -> HERE_TO_STAY.contains(member.status()))
                .map(Incarnation::of)
                .filter(member -> !lost.get().contains(member))
                .toList();
    }

    private static ClusterShardingSettings settings(ActorSystem<?> system) {
        Config config = ConfigFactory.parseString(SETTINGS)
                .withFallback(system.settings().config().getConfig("pekko.cluster.sharding"));
        return ClusterShardingSettings.fromConfig(config)
                .withRememberEntities(false)
                .withNoPassivationStrategy();
    }
}
