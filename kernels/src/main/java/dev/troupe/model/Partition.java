package dev.troupe.model;

import java.util.ArrayList;
import java.util.List;

/**
 * Which rank of which stage owns what: layers by stage, KV groups (with their query heads and feed-forward chunks) and
 * vocabulary rows by rank. Even or uneven; every range is contiguous, ascending, and together they cover the model.
 *
 * @param stages the stages in the order of the layers
 */
public record Partition(List<Stage> stages) {

    /** Vocabulary rows are cut at multiples of this many ids (NUMERICS rule 9). */
    public static final int VOCABULARY_SPAN = 256;

    public Partition {
        stages = List.copyOf(stages);
        if (stages.isEmpty()) {
            throw new IllegalArgumentException("a partition needs at least one stage");
        }
    }

    /**
     * Layers {@code [fromLayer, toLayer)} split over {@code ranks}.
     */
    public record Stage(int fromLayer, int toLayer, List<Rank> ranks) {
        public Stage {
            ranks = List.copyOf(ranks);
            if (fromLayer < 0 || toLayer <= fromLayer || ranks.isEmpty()) {
                throw new IllegalArgumentException(
                        "stage with layers [%d, %d) and %d ranks".formatted(fromLayer, toLayer, ranks.size()));
            }
        }

        /** Layers of this stage. */
        public int layers() {
            return toLayer - fromLayer;
        }
    }

    /**
     * KV groups {@code [fromGroup, toGroup)} and vocabulary rows {@code [fromRow, toRow)}; only the last stage uses its
     * rows, and a rank may have none of them.
     */
    public record Rank(int fromGroup, int toGroup, int fromRow, int toRow) {
        public Rank {
            if (fromGroup < 0 || toGroup <= fromGroup || fromRow < 0 || toRow < fromRow) {
                throw new IllegalArgumentException("rank with groups [%d, %d) and vocabulary rows [%d, %d)"
                        .formatted(fromGroup, toGroup, fromRow, toRow));
            }
        }
    }

    /**
     * The model split as evenly as whole layers, KV groups and vocabulary spans allow; the first ones get the larger
     * shares.
     *
     * @throws IllegalArgumentException if there are more ranks than KV heads or more stages than layers; the message
     *     names the rule, the numbers and the degrees that work
     */
    public static Partition even(ModelConfig config, int pipelineParallel, int tensorParallel) {
        if (tensorParallel < 1 || tensorParallel > config.kvHeads()) {
            throw new IllegalArgumentException(
                    "tensor-parallel = %d cannot split this model: a rank owns whole KV heads and the model has %d; these work: 1 to %d"
                            .formatted(tensorParallel, config.kvHeads(), config.kvHeads()));
        }
        if (pipelineParallel < 1 || pipelineParallel > config.layers()) {
            throw new IllegalArgumentException(
                    "pipeline-parallel = %d cannot split this model: a stage owns whole layers and the model has %d; these work: 1 to %d"
                            .formatted(pipelineParallel, config.layers(), config.layers()));
        }
        int spans = Math.ceilDiv(config.vocabularySize(), VOCABULARY_SPAN);
        List<Stage> stages = new ArrayList<>();
        for (int s = 0; s < pipelineParallel; s++) {
            List<Rank> ranks = new ArrayList<>();
            for (int r = 0; r < tensorParallel; r++) {
                ranks.add(new Rank(
                        bound(config.kvHeads(), tensorParallel, r),
                        bound(config.kvHeads(), tensorParallel, r + 1),
                        Math.min(config.vocabularySize(), VOCABULARY_SPAN * bound(spans, tensorParallel, r)),
                        Math.min(config.vocabularySize(), VOCABULARY_SPAN * bound(spans, tensorParallel, r + 1))));
            }
            stages.add(new Stage(
                    bound(config.layers(), pipelineParallel, s),
                    bound(config.layers(), pipelineParallel, s + 1),
                    ranks));
        }
        return new Partition(stages);
    }

    private static int bound(int total, int parts, int index) {
        return index * (total / parts) + Math.min(index, total % parts);
    }

    /**
     * Checks that this partition covers exactly {@code config}'s layers, groups and vocabulary.
     *
     * @throws IllegalArgumentException naming the first range that does not fit
     */
    public void requireCovers(ModelConfig config) {
        int layer = 0;
        for (int s = 0; s < stages.size(); s++) {
            Stage stage = stages.get(s);
            requireNext("layers of stage " + s, stage.fromLayer(), layer);
            layer = stage.toLayer();
            int group = 0;
            int row = 0;
            for (int r = 0; r < stage.ranks().size(); r++) {
                Rank rank = stage.ranks().get(r);
                requireNext("KV groups of stage %d rank %d".formatted(s, r), rank.fromGroup(), group);
                requireNext("vocabulary rows of stage %d rank %d".formatted(s, r), rank.fromRow(), row);
                if (rank.fromRow() % VOCABULARY_SPAN != 0 && rank.fromRow() != config.vocabularySize()) {
                    throw new IllegalArgumentException(
                            "vocabulary rows of stage %d rank %d start at %d, no multiple of %d"
                                    .formatted(s, r, rank.fromRow(), VOCABULARY_SPAN));
                }
                group = rank.toGroup();
                row = rank.toRow();
            }
            requireNext("end of the KV groups of stage " + s, group, config.kvHeads());
            requireNext("end of the vocabulary rows of stage " + s, row, config.vocabularySize());
        }
        requireNext("end of the layers", layer, config.layers());
    }

    private static void requireNext(String what, int actual, int expected) {
        if (actual != expected) {
            throw new IllegalArgumentException("%s: %d, expected %d".formatted(what, actual, expected));
        }
    }
}
