package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.SHORT;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Writing of keys and values to the cache, rounded to its type. Keys go to a column of their block, so their writes are
 * scattered; plain loops.
 */
final class KvWriter {
    private final WorkerPool pool;
    private final WorkerPool.Work row = this::row;
    private @Nullable KvStore store;
    private @Nullable TokenBatch batch;
    private long keys;
    private long values;
    private long qkv;
    private long stride;
    private int keyColumn;
    private boolean[] failed = new boolean[0];

    KvWriter(WorkerPool pool) {
        this.pool = pool;
    }

    /** As {@code Kernels.storeKv}. */
    void write(KvStore store, int layer, Tensor qkv, TokenBatch batch, TokenFlags overflowed) {
        int perGroup = KernelShapes.requireKv("storeKv", store, layer, qkv, batch, 0);
        this.store = store;
        this.batch = batch;
        this.keys = store.keys(layer).address();
        this.values = store.values(layer).address();
        this.qkv = qkv.address();
        this.stride = 4L * qkv.columns();
        this.keyColumn = perGroup * store.kvHeads() * store.headDim();
        if (failed.length < batch.tokens()) {
            failed = new boolean[batch.tokens()];
        }
        pool.run(batch.tokens(), row);
        for (int t = 0; t < batch.tokens(); t++) {
            if (failed[t]) {
                overflowed.mark(t);
            }
        }
        this.store = null;
        this.batch = null;
    }

    private void row(int token, int worker) {
        if (store == null || batch == null) {
            throw new IllegalStateException("nothing is being stored");
        }
        int headDim = store.headDim();
        int slot = batch.position(token) % store.blockSize();
        int block = batch.block(batch.sequence(token), batch.position(token), store.blockSize());
        long from = qkv + token * stride + 4L * keyColumn;
        boolean finite = true;
        for (int h = 0; h < store.kvHeads(); h++) {
            long key = from + 4L * h * headDim;
            long value = key + 4L * store.kvHeads() * headDim;
            long keyTo = keys + store.keyOffset(block, h, 0, slot);
            long valueTo = values + store.valueOffset(block, h, slot, 0);
            if (store.type() == KvType.F32) {
                finite &= floats(key, headDim, keyTo, 4L * store.blockSize());
                finite &= floats(value, headDim, valueTo, 4L);
            } else {
                finite &= halves(key, headDim, keyTo, 2L * store.blockSize());
                finite &= halves(value, headDim, valueTo, 2L);
            }
        }
        failed[token] = !finite;
    }

    private static boolean floats(long from, int n, long to, long step) {
        boolean finite = true;
        for (int i = 0; i < n; i++) {
            float value = ALL.get(FLOAT, from + 4L * i);
            boolean good = Float.isFinite(value);
            ALL.set(FLOAT, to + step * i, good ? value : 0f);
            finite &= good;
        }
        return finite;
    }

    private static boolean halves(long from, int n, long to, long step) {
        boolean finite = true;
        for (int i = 0; i < n; i++) {
            short half = Float.floatToFloat16(ALL.get(FLOAT, from + 4L * i));
            boolean good = (half & 0x7c00) != 0x7c00;
            ALL.set(SHORT, to + step * i, good ? half : 0);
            finite &= good;
        }
        return finite;
    }
}
