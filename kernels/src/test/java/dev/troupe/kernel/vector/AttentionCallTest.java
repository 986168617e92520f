package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class AttentionCallTest {
    private static final int HEAD_DIM = 16;

    @Test
    void hasEndedWhenItsWorkersHaveFailed() {
        Arena arena = Arena.ofAuto();
        TokenBatch batch = new TokenBatch(new int[2], new int[] {0, 1}, new int[2], new int[][] {{0}});
        Tensor qkv = Tensor.floats(arena, 2, 4 * HEAD_DIM);
        Tensor y = Tensor.floats(arena, 2, 2 * HEAD_DIM);
        AttentionCall call = new AttentionCall();
        WorkerPool pool = new WorkerPool(1);
        try (KvStore store = new KvStore(KvType.F16, 1, 1, HEAD_DIM, 32, 1);
                Attention attention = new Attention(pool, call, false)) {
            pool.close();

            assertThatThrownBy(() -> attention.attend(store, 0, qkv, 1, 0, batch, y))
                    .hasMessage("the worker pool is closed");

            assertThatThrownBy(call::store).hasMessage("no attention is running");
        }
    }
}
