package dev.troupe.config;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;

/**
 * The cluster that a node is part of ({@code troupe.cluster}).
 *
 * @param seedNodes the same on every node, in the same order; empty for a cluster of one
 * @param nodes how many members make it complete
 * @param timing how soon a silent node counts as lost
 * @param quorum voters that must be there for the cluster to go on; empty where the majority of those that are members decides
 * @param stableAfter nothing must have changed for so long before nodes that count as lost are removed
 */
public record ClusterConfig(
        List<SeedNode> seedNodes, int nodes, Timing timing, OptionalInt quorum, Duration stableAfter) {
    private static final int FEWEST_FOR_QUORUM = 4;

    /** How soon a silent node counts as lost. */
    public enum Timing {
        /** Few busy cores shared with others. */
        SHARED,
        /** A quiet small network. */
        LAN
    }

    /** Which side goes on when nodes cannot reach each other. */
    public enum Strategy {
        /** A quorum where it is known how many vote and these are four or more; else the majority. */
        AUTO,
        /** More than half of the voters that are members. */
        MAJORITY,
        /** More than half of a fixed number of voters. */
        QUORUM
    }

    public ClusterConfig {
        seedNodes = List.copyOf(seedNodes);
        Check.atLeast("cluster.nodes", nodes, 1);
        Check.holds(
                new HashSet<>(seedNodes).size() == seedNodes.size(), "cluster.seed-nodes", seedNodes, "each node once");
        Check.positive("cluster.stable-after", stableAfter);
    }

    /**
     * Votes that are needed among {@code voters} nodes; empty where the majority of the members decides.
     *
     * @param voters how many nodes have role control, or empty where that may change
     * @throws ConfigurationException if a quorum is wanted of nobody knows how many, or of more nodes than there are
     */
    static OptionalInt quorum(Strategy strategy, OptionalInt voters, int nodes) {
        if (voters.isEmpty()) {
            Check.holds(
                    strategy != Strategy.QUORUM,
                    "cluster.voters",
                    "auto",
                    "how many nodes have role control: troupe.cluster.strategy = quorum needs to know");
            return OptionalInt.empty();
        }
        int count = voters.getAsInt();
        Check.holds(
                count >= 1 && count <= nodes,
                "cluster.voters",
                count,
                "1 to %d: troupe.cluster.nodes says how many nodes there are".formatted(nodes));
        boolean fixed = strategy == Strategy.QUORUM || (strategy == Strategy.AUTO && count >= FEWEST_FOR_QUORUM);
        return fixed ? OptionalInt.of(count / 2 + 1) : OptionalInt.empty();
    }

    /** What gossip needs to tell everybody, by how many there are: Pekko's advice, and more on busy machines. */
    static Duration stableAfter(Timing timing, int nodes) {
        int seconds = nodes <= 5 ? 7 : nodes <= 10 ? 10 : nodes <= 100 ? 20 : 30;
        return Duration.ofSeconds(timing == Timing.SHARED ? Math.max(10, seconds) : seconds);
    }
}
