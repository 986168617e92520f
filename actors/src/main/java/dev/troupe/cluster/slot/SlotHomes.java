package dev.troupe.cluster.slot;

import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What one node knows of the members and of the homes of their slots, as last published by its {@link SlotResolver}.
 * Read from any thread.
 */
public final class SlotHomes {
    private volatile int mostDevices;
    private volatile Snapshot now = new Snapshot(List.of(), List.of());

    /**
     * One moment.
     *
     * @param nodes members that have described themselves, ascending
     * @param homes slots whose home this node's regions know, ascending
     */
    public record Snapshot(List<NodeInfo> nodes, List<Slot> homes) {
        public Snapshot {
            nodes = nodes.stream().sorted(Comparator.comparing(NodeInfo::node)).toList();
            homes = homes.stream().sorted().toList();
        }

        /** The member of that incarnation. */
        public Optional<NodeInfo> node(Incarnation incarnation) {
            return nodes.stream()
                    .filter(node -> node.node().equals(incarnation))
                    .findFirst();
        }

        /** Usable slots of {@code role}, in an order that is the same on all nodes. */
        public List<Slot> homes(NodeRole role) {
            return homes.stream().filter(slot -> slot.role() == role).toList();
        }

        /** Whether all slots of the members that have described themselves may be used from here. */
        public boolean isComplete() {
            return nodes.stream().allMatch(node -> homes.containsAll(node.slots()));
        }
    }

    /** The newest moment. */
    public Snapshot now() {
        return now;
    }

    /** Usable device slots when there were most of them, as far as this process knows. */
    public int mostDevices() {
        return mostDevices;
    }

    /** Called by one thread. */
    void publish(Snapshot snapshot) {
        mostDevices = Math.max(mostDevices, snapshot.homes(NodeRole.COMPUTE).size());
        now = snapshot;
    }
}
