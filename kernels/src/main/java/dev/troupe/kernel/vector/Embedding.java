package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.Lanes.ALL;
import static dev.troupe.kernel.vector.Lanes.FLOAT;
import static dev.troupe.kernel.vector.Lanes.SHORT;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.ValueLayout;
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
            case Q8_0 -> {
                for (int block = 0; block < n / 32; block++) {
                    float scale = Float.float16ToFloat(ALL.get(SHORT, from + 34L * block));
                    for (int k = 0; k < 32; k++) {
                        byte q = ALL.get(ValueLayout.JAVA_BYTE, from + 34L * block + 2 + k);
                        ALL.set(FLOAT, to + 128L * block + 4L * k, scale * q);
                    }
                }
            }
        }
    }
}
