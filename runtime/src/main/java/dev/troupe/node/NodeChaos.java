package dev.troupe.node;

import dev.troupe.chaos.ChaosAgent;
import dev.troupe.chaos.Saboteur;
import dev.troupe.cluster.ClusterNode;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.config.ChaosConfig;
import dev.troupe.stage.ShardLoader;
import dev.troupe.stage.TensorRoad;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.pekko.actor.typed.ActorSystem;
import org.jspecify.annotations.Nullable;

/**
 * A node's faults on purpose: its agent, and who is to be aimed at.
 *
 * @param saboteur null where chaos is off
 */
record NodeChaos(@Nullable Saboteur saboteur) {
    static NodeChaos of(ChaosConfig config) {
        return new NodeChaos(config.enabled() ? new Saboteur(config.unitDelay()) : null);
    }

    /** Where shares come from; untouched where chaos is off. */
    ShardLoader disturbed(ShardLoader loader) {
        return saboteur == null ? loader : saboteur.loader(loader);
    }

    /** How tensors leave; untouched where chaos is off. */
    TensorRoad disturbed(NodeRoads roads) {
        return saboteur == null ? roads.road() : saboteur.road(roads.road());
    }

    /** Starts the agent. */
    void start(ActorSystem<?> system, ClusterNode node, NodeRoads roads) {
        String self = node.self().toString();
        if (saboteur == null) {
            ChaosAgent.startRefusing(system, self);
            return;
        }
        ChaosAgent.start(
                system,
                new ChaosAgent.Setup(
                        self,
                        saboteur,
                        roads::reset,
                        roads::statistics,
                        peer -> node.homes().now().nodes().stream()
                                .filter(info -> info.node().hostPort().equals(peer))
                                .map(NodeInfo::lane)
                                .findFirst(),
                        node.roster()));
    }

    /**
     * Which node plays which role, ranks aside, by Artery address.
     *
     * @param schedulers slots for the scheduler, the first one in use
     */
    static Map<String, String> players(ClusterNode node, List<Slot> schedulers) {
        Map<String, String> players = new TreeMap<>();
        players.put("owner", node.self().hostPort());
        schedulers.stream()
                .findFirst()
                .ifPresent(slot -> players.put("scheduler", slot.node().hostPort()));
        // The ranks' shard coordinator is a singleton of the oldest node that can host them.
        node.live(NodeRole.COMPUTE).stream()
                .findFirst()
                .ifPresent(slot -> players.put("coordinator", slot.node().hostPort()));
        return players;
    }
}
