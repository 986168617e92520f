package dev.troupe.node;

import dev.troupe.cluster.ClusterNode;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.generation.LogHolders;
import dev.troupe.generation.LogKeeper;
import java.util.List;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorSystem;

/**
 * The nodes of the cluster that hold logs, as one node knows them: a log follows on the oldest other front end, or on the oldest
 * other control node where there is no other front end.
 */
record NodeLogHolders(ActorSystem<?> system, ClusterNode node) implements LogHolders {
    @Override
    public long self() {
        return node.self().uid();
    }

    @Override
    public List<Holder> others() {
        List<Holder> frontEnds = others(NodeRole.FRONTEND);
        return frontEnds.isEmpty() ? others(NodeRole.CONTROL) : frontEnds;
    }

    private List<Holder> others(NodeRole role) {
        return node.live(role).stream()
                .filter(slot -> !slot.node().equals(node.self()))
                .map(this::holder)
                .toList();
    }

    @Override
    public List<Holder> all() {
        return Stream.of(NodeRole.FRONTEND, NodeRole.CONTROL)
                .flatMap(role -> node.live(role).stream())
                .map(this::holder)
                .distinct()
                .toList();
    }

    private Holder holder(Slot slot) {
        return new Holder(
                slot.node().toString(), LogKeeper.at(system, slot.node().address(system)));
    }
}
