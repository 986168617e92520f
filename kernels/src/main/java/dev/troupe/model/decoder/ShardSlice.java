package dev.troupe.model.decoder;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;

/**
 * The part of a model that one rank of one stage computes: what its weights are keyed by.
 *
 * @param fromLayer first layer
 * @param toLayer one after the last layer
 * @param fromGroup first KV group
 * @param toGroup one after the last KV group
 * @param fromRow first vocabulary row of the output matrix; 0 outside the last stage
 * @param toRow one after the last vocabulary row; 0 outside the last stage
 * @param first whether this is the first stage, which looks embeddings up
 * @param last whether this is the last stage, which computes logits
 */
public record ShardSlice(
        int fromLayer, int toLayer, int fromGroup, int toGroup, int fromRow, int toRow, boolean first, boolean last) {

    /**
     * The slice of a rank.
     *
     * @throws IllegalArgumentException if the partition does not cover {@code config} or has no such stage or rank
     */
    public static ShardSlice of(ModelConfig config, Partition partition, int stage, int rank) {
        partition.requireCovers(config);
        if (stage < 0
                || stage >= partition.stages().size()
                || rank < 0
                || rank >= partition.stages().get(stage).ranks().size()) {
            throw new IllegalArgumentException("there is no stage %d rank %d in %s".formatted(stage, rank, partition));
        }
        Partition.Stage layers = partition.stages().get(stage);
        Partition.Rank own = layers.ranks().get(rank);
        boolean last = stage == partition.stages().size() - 1;
        return new ShardSlice(
                layers.fromLayer(),
                layers.toLayer(),
                own.fromGroup(),
                own.toGroup(),
                last ? own.fromRow() : 0,
                last ? own.toRow() : 0,
                stage == 0,
                last);
    }

    /** Layers of the stage. */
    public int layers() {
        return toLayer - fromLayer;
    }

    /** KV heads of the rank. */
    public int groups() {
        return toGroup - fromGroup;
    }

    /** Vocabulary rows of the rank. */
    public int vocabularyRows() {
        return toRow - fromRow;
    }
}
