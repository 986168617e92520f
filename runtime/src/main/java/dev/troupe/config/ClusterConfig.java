package dev.troupe.config;

import java.util.HashSet;
import java.util.List;

/**
 * The cluster that a node is part of ({@code troupe.cluster}).
 *
 * @param seedNodes the same on every node, in the same order; empty for a cluster of one
 * @param nodes how many members make it complete
 * @param timing how soon a silent node counts as lost
 */
public record ClusterConfig(List<SeedNode> seedNodes, int nodes, Timing timing) {

    /** How soon a silent node counts as lost. */
    public enum Timing {
        /** Few busy cores shared with others. */
        SHARED,
        /** A quiet small network. */
        LAN
    }

    public ClusterConfig {
        seedNodes = List.copyOf(seedNodes);
        Check.atLeast("cluster.nodes", nodes, 1);
        Check.holds(
                new HashSet<>(seedNodes).size() == seedNodes.size(), "cluster.seed-nodes", seedNodes, "each node once");
    }
}
