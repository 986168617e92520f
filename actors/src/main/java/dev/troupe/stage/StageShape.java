package dev.troupe.stage;

import dev.troupe.kernel.SumTree;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import java.util.List;

/**
 * What the exchanges of one stage look like to one of its ranks.
 *
 * @param rank own rank, 0-based
 * @param segments exchanges of a step
 * @param columns of the hidden state
 * @param nodes per rank the nodes of the sum tree that it sends: the maximal ones inside its KV groups
 */
record StageShape(int rank, int segments, int columns, List<List<SumTree.Node>> nodes) {
    StageShape {
        nodes = nodes.stream().map(List::copyOf).toList();
    }

    /** The shape that {@code rank} of {@code stage} sees when it computes with {@code compute}. */
    static StageShape of(Partition.Stage stage, int rank, ShardCompute compute) {
        int groups = stage.ranks().getLast().toGroup();
        return new StageShape(
                rank,
                compute.segments(),
                compute.hiddenSize(),
                stage.ranks().stream()
                        .map(r -> SumTree.maximalNodes(groups, r.fromGroup(), r.toGroup()))
                        .toList());
    }

    /** Tensor-parallel ranks of the stage. */
    int ranks() {
        return nodes.size();
    }
}
