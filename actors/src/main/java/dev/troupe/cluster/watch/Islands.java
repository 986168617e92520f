package dev.troupe.cluster.watch;

import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.Slot;
import java.util.Comparator;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Tells whether this node's cluster is the smaller of two that should be one. Of two alike the one with the lowest node stays, so
 * both sides agree. For one thread.
 */
final class Islands {
    /** Views of who is where are briefly apart while nodes come and go; this often in a row they are not. */
    static final int SIGHTINGS = 3;

    private final Incarnation self;
    private int sightings;
    private boolean sighted;

    Islands(Incarnation self) {
        this.self = self;
    }

    /**
     * Another node has described itself.
     *
     * @param own members that this node knows of, itself included once it is one
     */
    void note(Set<Incarnation> own, NodeInfo other) {
        Set<Incarnation> theirs = other.homes().stream().map(Slot::node).collect(Collectors.toCollection(TreeSet::new));
        boolean apart = own.contains(self)
                && !own.contains(other.node())
                && theirs.contains(other.node())
                && !theirs.contains(self);
        sighted |= apart && isLarger(theirs, own);
    }

    private static boolean isLarger(Set<Incarnation> theirs, Set<Incarnation> own) {
        return theirs.size() != own.size()
                ? theirs.size() > own.size()
                : theirs.stream()
                                .min(Comparator.naturalOrder())
                                .orElseThrow()
                                .compareTo(own.stream()
                                        .min(Comparator.naturalOrder())
                                        .orElseThrow())
                        < 0;
    }

    /** A round of descriptions has ended; true when this node should leave its cluster for the other one. */
    boolean isIsland() {
        sightings = sighted ? sightings + 1 : 0;
        sighted = false;
        return sightings >= SIGHTINGS;
    }
}
