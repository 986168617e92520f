package dev.troupe.stage;

import dev.troupe.kernel.SumTree;
import dev.troupe.model.SubtreeSum;
import java.util.ArrayList;
import java.util.List;

/**
 * One exchange of one step as one rank sees it: which peers' sums are there. Direct pattern: every rank sends the sums
 * of its own tree nodes to every other rank, and every rank finishes the tree by itself, so nothing depends on the order
 * of arrival.
 */
final class AllReduce {
    private final StageShape stage;
    private final List<List<RowAssembly>> sums = new ArrayList<>();
    private int missing;

    /**
     * @param stage who sends which nodes
     * @param rows tokens of the step
     */
    AllReduce(StageShape stage, int rows) {
        this.stage = stage;
        for (int rank = 0; rank < stage.ranks(); rank++) {
            List<RowAssembly> ofRank = new ArrayList<>();
            if (rank != stage.rank()) {
                stage.nodes().get(rank).forEach(node -> ofRank.add(new RowAssembly(rows, stage.columns())));
                missing += ofRank.size();
            }
            sums.add(ofRank);
        }
    }

    /**
     * Takes a piece of a peer's sum over. Its epoch, step and exchange are the caller's business.
     *
     * @throws ContradictionException if the sender is no peer, or the piece is none of its nodes or does not fit
     */
    Noted note(Partial partial) {
        try {
            RowAssembly sum = sumOf(partial);
            Noted noted = sum.note(partial.firstRow(), partial.values());
            if (noted == Noted.KEPT && sum.complete()) {
                missing--;
            }
            return noted;
        } catch (ContradictionException refused) {
            throw new ContradictionException("epoch=%s, step=%d, exchange=%d, from rank=%d, groups [%d, %d): %s"
                    .formatted(
                            partial.epoch(),
                            partial.step(),
                            partial.exchange(),
                            partial.fromRank(),
                            partial.fromGroup(),
                            partial.toGroup(),
                            refused.getMessage()));
        }
    }

    private RowAssembly sumOf(Partial partial) {
        int from = partial.fromRank();
        if (from < 0 || from >= stage.ranks() || from == stage.rank()) {
            throw new ContradictionException(
                    "the sender is no peer of rank %d among %d ranks".formatted(stage.rank(), stage.ranks()));
        }
        List<SumTree.Node> nodes = stage.nodes().get(from);
        int index = nodes.indexOf(new SumTree.Node(partial.fromGroup(), partial.toGroup()));
        if (index < 0) {
            throw new ContradictionException("that rank sends the groups of %s".formatted(nodes));
        }
        return sums.get(from).get(index);
    }

    /** Whether all sums of all peers are whole; at once where there is no peer. */
    boolean complete() {
        return missing == 0;
    }

    /** All sums of all peers {@code [tokens, hidden]}, by rank. */
    List<SubtreeSum> sums() {
        List<SubtreeSum> all = new ArrayList<>();
        for (int rank = 0; rank < sums.size(); rank++) {
            for (int i = 0; i < sums.get(rank).size(); i++) {
                SumTree.Node node = stage.nodes().get(rank).get(i);
                all.add(new SubtreeSum(
                        node.from(), node.to(), sums.get(rank).get(i).whole()));
            }
        }
        return all;
    }
}
