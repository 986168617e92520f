package dev.troupe.model.decoder;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.SumTree;
import dev.troupe.model.SubtreeSum;
import dev.troupe.tensor.Rows;
import dev.troupe.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Ends an exchange: sums the fixed tree of NUMERICS rule 3 over a rank's own nodes and those of its peers, in the one
 * order that every rank uses.
 */
final class TreeSum {
    private final Kernels kernels;
    private final int groups;
    private final List<SumTree.Node> ownNodes;

    /** @param ownNodes the rank's maximal nodes, ascending */
    TreeSum(Kernels kernels, int groups, List<SumTree.Node> ownNodes) {
        this.kernels = kernels;
        this.groups = groups;
        this.ownNodes = ownNodes;
    }

    /** Scratch tensors that {@link #sum} may need at once: one per level of the tree, and one for a peer's leaf. */
    static int scratchTensors(int groups) {
        return 34 - Integer.numberOfLeadingZeros(groups);
    }

    /**
     * Checks that own nodes and {@code peers} are nodes of the tree that cover every group exactly once.
     *
     * @throws IllegalArgumentException if they are not
     */
    void requireComplete(List<SubtreeSum> peers, int tokens, int hiddenSize) {
        for (SubtreeSum peer : peers) {
            Rows values = peer.values();
            if (values.rows() != tokens || values.columns() != hiddenSize) {
                throw new IllegalArgumentException("the sum of groups [%d, %d) is %s, expected [%d, %d]"
                        .formatted(peer.from(), peer.to(), values, tokens, hiddenSize));
            }
        }
        int used = count(0, groups, peers);
        if (used != ownNodes.size() + peers.size()) {
            throw new IllegalArgumentException(
                    "own sums %s and %d of peers hold repeated or overlapping groups of %d: %s"
                            .formatted(ownNodes, peers.size(), groups, ranges(peers)));
        }
    }

    private int count(int i, int j, List<SubtreeSum> peers) {
        if (own(i, j) >= 0 || find(peers, i, j) != null) {
            return 1;
        }
        if (i + 1 == j) {
            throw new IllegalArgumentException(
                    "no sum covers group %d of %d; own: %s, peers: %s".formatted(i, groups, ownNodes, ranges(peers)));
        }
        int m = SumTree.split(i, j);
        return count(i, m, peers) + count(m, j, peers);
    }

    private static List<String> ranges(List<SubtreeSum> peers) {
        return peers.stream()
                .map(peer -> "[%d, %d)".formatted(peer.from(), peer.to()))
                .toList();
    }

    /**
     * The sum of all groups.
     *
     * @param own sums of the own nodes, in their order; overwritten
     * @param peers complete, see {@link #requireComplete}
     * @param scratch see {@link #scratchTensors}; overwritten
     * @return one of {@code own} or {@code scratch}, with the sum in its first {@code tokens} rows
     */
    Tensor sum(Tensor[] own, List<SubtreeSum> peers, int tokens, Tensor[] scratch) {
        return sum(0, groups, own, peers, tokens, scratch, 0);
    }

    private Tensor sum(int i, int j, Tensor[] own, List<SubtreeSum> peers, int tokens, Tensor[] scratch, int used) {
        int node = own(i, j);
        if (node >= 0) {
            return own[node];
        }
        SubtreeSum peer = find(peers, i, j);
        if (peer != null) {
            kernels.memory().write(scratch[used], peer.values());
            return scratch[used];
        }
        int m = SumTree.split(i, j);
        Tensor left = sum(i, m, own, peers, tokens, scratch, used);
        Tensor right = sum(m, j, own, peers, tokens, scratch, used + 1);
        kernels.add(left, right, tokens);
        return left;
    }

    private int own(int i, int j) {
        for (int n = 0; n < ownNodes.size(); n++) {
            if (ownNodes.get(n).from() == i && ownNodes.get(n).to() == j) {
                return n;
            }
        }
        return -1;
    }

    private static @Nullable SubtreeSum find(List<SubtreeSum> peers, int i, int j) {
        for (int n = 0; n < peers.size(); n++) {
            if (peers.get(n).from() == i && peers.get(n).to() == j) {
                return peers.get(n);
            }
        }
        return null;
    }
}
