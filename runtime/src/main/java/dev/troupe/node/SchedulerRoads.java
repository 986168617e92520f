package dev.troupe.node;

import dev.troupe.cluster.ClusterNode;
import dev.troupe.cluster.identity.EntityIds;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.config.ClusterConfig;
import dev.troupe.config.SeedNode;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;

/**
 * Where a node finds the scheduler of its model: on the oldest node with role control that is not lost. All nodes order them alike.
 * Thread-safe.
 */
final class SchedulerRoads {
    static final EntityTypeKey<Scheduler.Command> SCHEDULER =
            EntityTypeKey.create(Scheduler.Command.class, "scheduler");

    static final int REPLICA = 0;

    private final ClusterNode node;
    private final ClusterConfig cluster;
    private final String model;
    private final BooleanSupplier complete;

    /** @param complete whether all members were there once */
    SchedulerRoads(ClusterNode node, ClusterConfig cluster, String model, BooleanSupplier complete) {
        this.node = node;
        this.cluster = cluster;
        this.model = model;
        this.complete = complete;
    }

    /** The way to it, for generations. */
    Router router() {
        return asked -> {
            if (!asked.equals(model)) {
                return new Router.Nobody();
            }
            List<Slot> slots = slots();
            if (slots.isEmpty()) {
                return new Router.NotYet(missing());
            }
            // Another checkpoint may have another tokenizer: this node's tokens would be nonsense there.
            Map<Incarnation, String> misfits = node.misfits().now();
            List<Router.Way> ways = slots.stream()
                    .filter(slot -> !misfits.containsKey(slot.node()))
                    .map(slot ->
                            new Router.Way(slot.node().toString(), slot.node().uid(), scheduler(slot)))
                    .toList();
            Incarnation first = slots.getFirst().node();
            return misfits.containsKey(first)
                    ? new Router.Barred(
                            "node %s, which schedules it, has %s".formatted(first.hostPort(), misfits.get(first)))
                    : new Router.Found(ways);
        };
    }

    /** Why there is no scheduler, for people. */
    private String missing() {
        SlotHomes.Snapshot now = node.homes().now();
        int wanted = cluster.nodes();
        List<String> here =
                now.nodes().stream().map(info -> info.node().hostPort()).toList();
        if (here.size() < wanted) {
            List<String> absent = cluster.seedNodes().stream()
                    .map(SeedNode::toString)
                    .filter(seed -> !here.contains(seed))
                    .toList();
            return "%d of %d nodes are in the cluster (%s)%s; start the others, or set troupe.cluster.nodes to how many there are"
                    .formatted(
                            here.size(),
                            wanted,
                            String.join(", ", here),
                            absent.isEmpty()
                                    ? ""
                                    : ", of the seed nodes " + String.join(", ", absent) + " are missing");
        }
        return now.homes(NodeRole.CONTROL).isEmpty() || complete.getAsBoolean()
                ? "no node with role control can be reached; members: " + String.join(", ", here)
                : "all %d nodes are there, but not all of them know each other yet".formatted(here.size());
    }

    /** Its homes, the first before those that follow when it is lost; none before the cluster was complete. */
    List<Slot> slots() {
        return complete.getAsBoolean() ? node.live(NodeRole.CONTROL) : List.of();
    }

    private RecipientRef<Scheduler.Command> scheduler(Slot slot) {
        return node.sharding().entity(SCHEDULER, EntityIds.scheduler(EntityIds.replica(model, REPLICA), slot));
    }

    /** The scheduler that serves, or will. */
    Optional<RecipientRef<Scheduler.Command>> first() {
        return slots().stream().findFirst().map(this::scheduler);
    }
}
