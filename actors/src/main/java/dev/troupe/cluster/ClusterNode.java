package dev.troupe.cluster;

import dev.troupe.cluster.guardian.Acquaintance;
import dev.troupe.cluster.guardian.Misfits;
import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.guardian.Promises;
import dev.troupe.cluster.identity.EntityIds;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.cluster.placement.Placer;
import dev.troupe.cluster.slot.EntityKind;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.cluster.slot.SlotResolver;
import dev.troupe.cluster.slot.SlotSharding;
import dev.troupe.cluster.watch.IslandWatch;
import dev.troupe.cluster.watch.NodeWatch;
import dev.troupe.cluster.watch.Suspects;
import dev.troupe.plan.DeviceProfile;
import dev.troupe.plan.Site;
import dev.troupe.serving.Placement;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ShardDirectory;
import dev.troupe.stage.ShardRoster;
import dev.troupe.stage.TensorShard;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.cluster.typed.Cluster;
import org.jspecify.annotations.Nullable;

/**
 * One process's part in the cluster: its guardian, its regions and the homes they know, its watch over other nodes, and on
 * a control node its placer. Everything that an entity of this node may need of the cluster is reached from here.
 */
public final class ClusterNode {
    /** Ranks, in device slots. */
    public static final EntityTypeKey<TensorShard.Command> SHARD =
            EntityTypeKey.create(TensorShard.Command.class, "tensor-shard");

    /** Pipeline stages, in control slots. */
    public static final EntityTypeKey<PipelineStage.Command> STAGE =
            EntityTypeKey.create(PipelineStage.Command.class, "pipeline-stage");

    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(1);

    private final Incarnation self;
    private final List<NodeRole> roles;
    private final Promises promises = new Promises();
    private final ShardRoster roster = new ShardRoster();
    private final SlotHomes homes = new SlotHomes();
    private final Misfits misfits = new Misfits();
    private final Suspects suspects = new Suspects();
    private final Cluster cluster;
    private final SlotSharding sharding;
    private final ActorRef<NodeWatch.Command> watch;
    private final ActorRef<Placement.Command> placer;

    private ClusterNode(ActorSystem<?> system, NodeProfile profile) {
        cluster = Cluster.get(system);
        self = Incarnation.self(system);
        roles = roles(system);
        sharding = new SlotSharding(system, homes, suspects::lost);
        watch = NodeWatch.start(system, new NodeWatch.Setup(self, suspects, ANSWER_WITHIN, homes));
        placer = system.systemActorOf(
                Placer.create(new Placer.Setup(
                        self,
                        profile.models(),
                        profile.times(),
                        suspects,
                        watch,
                        id -> sharding.entity(STAGE, id),
                        this::sites,
                        homes::mostDevices,
                        promises::isLeaving)),
                "troupe-placer",
                Props.empty());
    }

    /**
     * Starts a node's part in the cluster that {@code system} is a member of, or will be.
     *
     * @param kinds all entity kinds, given this node; the same on all nodes
     */
    public static Started start(
            ActorSystem<?> system, NodeProfile profile, Function<ClusterNode, List<EntityKind<?>>> kinds) {
        ClusterNode node = new ClusterNode(system, profile);
        node.sharding.start(kinds.apply(node));
        ActorRef<NodeGuardian.Command> guardian = NodeGuardian.start(
                system,
                new NodeGuardian.Setup(
                        node.self,
                        node.roles,
                        profile.devices(),
                        profile.lane(),
                        profile.numerics(),
                        profile.cards(),
                        node.roster,
                        node.promises,
                        () -> node.homes.now().homes()));
        ActorRef<Acquaintance.Command> acquaintance = system.systemActorOf(
                Acquaintance.create(new Acquaintance.Setup(
                        node.self,
                        profile.numerics(),
                        profile.cards(),
                        node.misfits,
                        other -> NodeGuardian.at(system, other.address(system)))),
                "troupe-acquaintance",
                Props.empty());
        IslandWatch.start(system, node.self, node.homes);
        return new Started(
                node, guardian, node.sharding.resolve(info -> acquaintance.tell(new Acquaintance.Meet(info))));
    }

    /**
     * A node that has started.
     *
     * @param guardian its guardian
     * @param resolver who knows when the cluster is complete
     */
    public record Started(
            ClusterNode node, ActorRef<NodeGuardian.Command> guardian, ActorRef<SlotResolver.Command> resolver) {}

    private static List<NodeRole> roles(ActorSystem<?> system) {
        Set<String> labels = Cluster.get(system).selfMember().getRoles();
        List<NodeRole> roles = Arrays.stream(NodeRole.values())
                .filter(role -> labels.contains(role.label()))
                .toList();
        if (roles.isEmpty()) {
            throw new IllegalStateException(
                    "this node has none of Troupe's roles; pekko.cluster.roles = %s, of these are needed: %s"
                            .formatted(
                                    labels,
                                    Arrays.stream(NodeRole.values())
                                            .map(NodeRole::label)
                                            .collect(Collectors.joining(", "))));
        }
        return roles;
    }

    /** This process. */
    public Incarnation self() {
        return self;
    }

    /** What it offers. */
    public List<NodeRole> roles() {
        return roles;
    }

    /** The ballots it has promised. */
    public Promises promises() {
        return promises;
    }

    /** Where its shards say that they are here. */
    public ShardRoster roster() {
        return roster;
    }

    /** Members and the slots that may be used from here. */
    public SlotHomes homes() {
        return homes;
    }

    /**
     * Slots of {@code role} that may be used from here and whose node is not lost, oldest member first: an order that is the
     * same on all nodes and puts a node that comes back last. A node that something speaks against, but that may still answer,
     * counts as live: where nodes disagreed about it for a moment, two schedulers of one replica would take each other's
     * epochs away.
     */
    public List<Slot> live(NodeRole role) {
        Set<Incarnation> lost = suspects.lost();
        Map<Incarnation, Member> members = new HashMap<>();
        cluster.state().getMembers().forEach(member -> members.put(Incarnation.of(member), member));
        return homes.now().homes(role).stream()
                .filter(slot -> !lost.contains(slot.node()) && members.containsKey(slot.node()))
                .sorted((a, b) -> age(members.get(a.node()), members.get(b.node())))
                .toList();
    }

    private static int age(@Nullable Member a, @Nullable Member b) {
        return a == null || b == null || a.equals(b) ? 0 : a.isOlderThan(b) ? -1 : 1;
    }

    /**
     * Prepares this node's end: its devices take part in no new epoch, and all others are told, so that what it does is done
     * elsewhere before it goes.
     */
    public void announceLeave(ActorSystem<?> system) {
        promises.leave();
        NodeWatch.announceLeave(system, self);
    }

    /** Devices whose homes are known and whose nodes nothing speaks against. */
    private List<Site> sites() {
        SlotHomes.Snapshot now = homes.now();
        Set<Slot> usable = Set.copyOf(now.homes(NodeRole.COMPUTE));
        Set<Incarnation> refused = new HashSet<>(suspects.now());
        refused.addAll(misfits.now().keySet());
        List<Site> sites = new ArrayList<>();
        for (NodeInfo info : now.nodes()) {
            for (DeviceProfile device : info.devices()) {
                Slot slot = new Slot(info.node(), device.name());
                if (usable.contains(slot) && !refused.contains(info.node())) {
                    sites.add(new Site(info.node().toString(), slot.toString(), device));
                }
            }
        }
        return sites;
    }

    /** Whether ranks run here. */
    public boolean hosts() {
        return !roster.residents().isEmpty();
    }

    /** Members that have described themselves and are not lost, ascending. */
    public List<NodeInfo> present() {
        Set<Incarnation> lost = suspects.lost();
        return homes.now().nodes().stream()
                .filter(node -> !lost.contains(node.node()))
                .toList();
    }

    /** Lanes of the other members that are not lost. */
    public List<String> otherLanes() {
        return present().stream()
                .filter(node -> !node.node().equals(self) && !node.lane().isEmpty())
                .map(NodeInfo::lane)
                .toList();
    }

    /** Members that cannot serve one replica together with this node. */
    public Misfits misfits() {
        return misfits;
    }

    /** References to entities. */
    public SlotSharding sharding() {
        return sharding;
    }

    /** Who tells of lost nodes; the tensor lane tells it of lost peers. */
    public ActorRef<NodeWatch.Command> watch() {
        return watch;
    }

    /** Who gives schedulers of this node their epochs. */
    public ActorRef<Placement.Command> placer() {
        return placer;
    }

    /** How pipeline stages of this node reach ranks. */
    public ShardDirectory shards() {
        return (id, plan) -> sharding.entity(SHARD, EntityIds.shard(id, plan));
    }
}
