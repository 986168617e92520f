package dev.troupe.cluster.guardian;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardLoader;
import dev.troupe.tensor.Rows;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class PromisedLoaderTest {
    private static final ReplicaPlan PLAN = new ReplicaPlan(
            "tales",
            0,
            "",
            "exact-1",
            new Partition(List.of(new Partition.Stage(0, 1, List.of(new Partition.Rank(0, 1, 0, 256))))),
            List.of(List.of("127.0.0.1:2551#1/cpu0")),
            KvType.F16,
            32,
            8);

    private final Promises promises = new Promises();
    private final Weightless compute = new Weightless();

    /** Computes nothing, but knows whether it was freed. */
    private static final class Weightless implements ShardCompute {
        private boolean closed;

        @Override
        public int segments() {
            return 0;
        }

        @Override
        public int hiddenSize() {
            return 1;
        }

        @Override
        public int firstVocabularyRow() {
            return 0;
        }

        @Override
        public int vocabularyRows() {
            return 0;
        }

        @Override
        public ShardStep begin(TokenBatch batch, @Nullable Rows hidden) {
            throw new UnsupportedOperationException("no weights");
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private static ShardId id(long round) {
        return new ShardId(new Epoch(round, 1), 0, 0);
    }

    @Test
    void loadsForTheEpochThatWasPromisedLast() throws Exception {
        promises.offer("tales/0", new Epoch(2, 1));

        assertThat(new PromisedLoader(promises, (_, _) -> compute).load(id(2), PLAN))
                .isSameAs(compute);
    }

    @Test
    void refusesAnEpochThatIsSupersededOrWasNeverPromised() {
        promises.offer("tales/0", new Epoch(2, 1));
        ShardLoader loader = new PromisedLoader(promises, (_, _) -> compute);

        assertThatThrownBy(() -> loader.load(id(1), PLAN))
                .hasMessage("stage 0 rank 0 of tales/0 in epoch e1.1 may not load: this node has promised e2.1");
        assertThatThrownBy(() -> loader.load(id(3), PLAN)).hasMessageContaining("this node has promised e2.1");
    }

    @Test
    void freesWhatItLoadedWhenTheEpochWasSupersededMeanwhile() {
        promises.offer("tales/0", new Epoch(1, 1));
        ShardLoader loader = new PromisedLoader(promises, (_, _) -> {
            promises.offer("tales/0", new Epoch(2, 1));
            return compute;
        });

        assertThatThrownBy(() -> loader.load(id(1), PLAN)).hasMessageContaining("this node has promised e2.1");
        assertThat(compute.closed).isTrue();
    }
}
