package dev.troupe.stage;

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

/** A share that does something before each segment. */
class HookedShard implements ShardCompute {
    private final ShardCompute inner;
    private final Runnable beforeSegment;

    HookedShard(ShardCompute inner, Runnable beforeSegment) {
        this.inner = inner;
        this.beforeSegment = beforeSegment;
    }

    @Override
    public int segments() {
        return inner.segments();
    }

    @Override
    public int hiddenSize() {
        return inner.hiddenSize();
    }

    @Override
    public int firstVocabularyRow() {
        return inner.firstVocabularyRow();
    }

    @Override
    public int vocabularyRows() {
        return inner.vocabularyRows();
    }

    @Override
    public ShardStep begin(TokenBatch batch, @Nullable Rows hidden) {
        return new Step(this, inner.begin(batch, hidden));
    }

    /** What searches the logits of a step. */
    @Nullable
    LogitSearch search(ShardStep step) {
        return step.logitSearch();
    }

    @Override
    public void close() {
        inner.close();
    }

    private record Step(HookedShard shard, ShardStep inner) implements ShardStep {
        @Override
        public List<SubtreeSum> compute() {
            shard.beforeSegment.run();
            return inner.compute();
        }

        @Override
        public void finish(List<SubtreeSum> peers) {
            inner.finish(peers);
        }

        @Override
        public Rows hidden() {
            return inner.hidden();
        }

        @Override
        public Floats logits(int[] rows) {
            return inner.logits(rows);
        }

        @Override
        public @Nullable LogitSearch logitSearch() {
            return shard.search(inner);
        }

        @Override
        public Floats finalHidden(int[] rows) {
            return inner.finalHidden(rows);
        }

        @Override
        public BitSet failedTokens() {
            return inner.failedTokens();
        }

        @Override
        public void close() {
            inner.close();
        }
    }
}
