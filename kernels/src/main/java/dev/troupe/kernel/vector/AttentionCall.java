package dev.troupe.kernel.vector;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** What one call of attention is about; used anew for every call. */
final class AttentionCall {
    private @Nullable KvStore store;
    private @Nullable TokenBatch batch;
    private long keys;
    private long values;
    private long qkv;
    private long stride;
    private long y;
    private long yStride;
    private float scale;
    private int lookback;
    private int perGroup;

    /** As {@code Kernels.attention}, whose checks it makes. */
    void begin(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch batch, Tensor y) {
        lookback = window == 0 ? Integer.MAX_VALUE : window - 1;
        perGroup = KernelShapes.requireKv("attention", store, layer, qkv, batch, lookback);
        KernelShapes.requireHeads("attention", y, 0, perGroup * store.kvHeads(), store.headDim(), batch.tokens());
        this.store = store;
        this.batch = batch;
        this.keys = store.keys(layer).address();
        this.values = store.values(layer).address();
        this.qkv = qkv.address();
        this.stride = 4L * qkv.columns();
        this.y = y.address();
        this.yStride = 4L * y.columns();
        this.scale = scale;
    }

    void end() {
        store = null;
        batch = null;
    }

    KvStore store() {
        if (store == null) {
            throw new IllegalStateException("no attention is running");
        }
        return store;
    }

    TokenBatch batch() {
        if (batch == null) {
            throw new IllegalStateException("no attention is running");
        }
        return batch;
    }

    /** Address of the layer's keys. */
    long keys() {
        return keys;
    }

    /** Address of the layer's values. */
    long values() {
        return values;
    }

    float scale() {
        return scale;
    }

    /** Query heads that share a KV head. */
    int perGroup() {
        return perGroup;
    }

    /** The first position that {@code token} sees. */
    int begin(int token) {
        return Math.max(0, batch().position(token) - lookback);
    }

    /** Address of the queries of the heads of {@code kvHead}, f32 {@code [perGroup][headDim]}. */
    long queries(int token, int kvHead) {
        return qkv + token * stride + 4L * kvHead * perGroup * store().headDim();
    }

    /** Where their outputs go, f32 {@code [perGroup][headDim]}. */
    long outputs(int token, int kvHead) {
        return y + token * yStride + 4L * kvHead * perGroup * store().headDim();
    }
}
