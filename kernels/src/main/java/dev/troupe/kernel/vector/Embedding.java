package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.SHORT;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.quantised.StoredBlocks;
import dev.troupe.kernel.quantised.WeightBlock;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Embedding look-up. Plain loops: a row a token is little work, and the compiler turns them into vectors itself. */
final class Embedding {
    private final WorkerPool pool;
    private final WorkerPool.Work row = this::row;
    private @Nullable Tensor table;
    private @Nullable TokenBatch batch;
    private long y;

    Embedding(WorkerPool pool) {
        this.pool = pool;
    }

    /** As {@code Kernels.embed}. */
    void rows(Tensor table, TokenBatch batch, Tensor y) {
        KernelShapes.requireEmbed(table, batch, y);
        this.table = table;
        this.batch = batch;
        this.y = y.address();
        pool.run(batch.tokens(), row);
        this.table = null;
        this.batch = null;
    }

    private void row(int token, int worker) {
        if (table == null || batch == null) {
            throw new IllegalStateException("no look-up is running");
        }
        int n = table.columns();
        long from = table.address() + batch.id(token) * table.type().rowBytes(n);
        long to = y + 4L * token * n;
        switch (table.type()) {
            case F32 -> {
                for (int k = 0; k < n; k++) {
                    ALL.set(FLOAT, to + 4L * k, ALL.get(FLOAT, from + 4L * k));
                }
            }
            case BF16 -> {
                for (int k = 0; k < n; k++) {
                    ALL.set(FLOAT, to + 4L * k, Float.intBitsToFloat(ALL.get(SHORT, from + 2L * k) << 16));
                }
            }
            case F16 -> {
                for (int k = 0; k < n; k++) {
                    ALL.set(FLOAT, to + 4L * k, Float.float16ToFloat(ALL.get(SHORT, from + 2L * k)));
                }
            }
            default -> blocks(table, from, to);
        }
    }

    private static void blocks(Tensor table, long from, long to) {
        WeightBlock block = new WeightBlock(table.type());
        MemorySegment row = ALL.asSlice(from, table.type().rowBytes(table.columns()));
        for (int k = 0; k < table.columns(); k += 32) {
            StoredBlocks.read(row, k / 32, block);
            for (int i = 0; i < 32; i++) {
                ALL.set(FLOAT, to + 4L * (k + i), block.value(i));
            }
        }
    }
}
