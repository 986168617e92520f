package dev.troupe.chaos;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.model.LogitSearch;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A rank's share whose units of work take as long as a saboteur wants. What it computes is untouched.
 *
 * @param first whether it is the one that a poisoned token kills
 */
record DisturbedCompute(ShardCompute compute, Saboteur saboteur, boolean first) implements ShardCompute {
    @Override
    public int segments() {
        return compute.segments();
    }

    @Override
    public int hiddenSize() {
        return compute.hiddenSize();
    }

    @Override
    public int firstVocabularyRow() {
        return compute.firstVocabularyRow();
    }

    @Override
    public int vocabularyRows() {
        return compute.vocabularyRows();
    }

    @Override
    public ShardStep begin(TokenBatch batch, @Nullable Rows hidden) {
        if (first && saboteur.isDeadly(batch)) {
            Runtime.getRuntime().halt(Saboteur.KILLED);
        }
        return new Step(compute.begin(batch, hidden), saboteur);
    }

    @Override
    public void close() {
        compute.close();
    }

    private record Step(ShardStep step, Saboteur saboteur) implements ShardStep {
        @Override
        public List<SubtreeSum> compute() {
            long start = System.nanoTime();
            List<SubtreeSum> sums = step.compute();
            saboteur.afterWork(System.nanoTime() - start);
            return sums;
        }

        @Override
        public void finish(List<SubtreeSum> peers) {
            step.finish(peers);
        }

        @Override
        public Rows hidden() {
            return step.hidden();
        }

        @Override
        public Floats logits(int[] rows) {
            return step.logits(rows);
        }

        @Override
        public @Nullable LogitSearch logitSearch() {
            return step.logitSearch();
        }

        @Override
        public Floats finalHidden(int[] rows) {
            return step.finalHidden(rows);
        }

        @Override
        public BitSet failedTokens() {
            return step.failedTokens();
        }

        @Override
        public void close() {
            step.close();
        }
    }
}
