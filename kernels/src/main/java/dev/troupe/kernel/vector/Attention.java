package dev.troupe.kernel.vector;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention over the paged cache. An item is one KV head and up to sixteen neighbouring tokens of a sequence: each
 * span is gathered once and then used by all of them. Scores have tokens as lanes, values have head elements.
 */
final class Attention implements AutoCloseable {
    private static final int SPAN = AttentionTiles.SPAN;

    /** Tokens of an item. */
    private static final int TOKENS = 16;

    private final WorkerPool pool;
    private final AttentionHeads[] own;
    private final WorkerPool.Work item = this::item;
    private int[] firsts = new int[16];
    private int[] counts = new int[16];
    private int tiles;

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
    private int headDim;

    Attention(WorkerPool pool) {
        this.pool = pool;
        this.own = new AttentionHeads[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new AttentionHeads();
        }
    }

    /** As {@code Kernels.attention}. */
    void attend(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch batch, Tensor y) {
        lookback = window == 0 ? Integer.MAX_VALUE : window - 1;
        perGroup = KernelShapes.requireKv("attention", store, layer, qkv, batch, lookback);
        headDim = store.headDim();
        KernelShapes.requireHeads("attention", y, 0, perGroup * store.kvHeads(), headDim, batch.tokens());
        this.store = store;
        this.batch = batch;
        this.keys = store.keys(layer).address();
        this.values = store.values(layer).address();
        this.qkv = qkv.address();
        this.stride = 4L * qkv.columns();
        this.y = y.address();
        this.yStride = 4L * y.columns();
        this.scale = scale;
        divide(batch);
        pool.run(tiles * store.kvHeads(), item);
        this.store = null;
        this.batch = null;
    }

    /** Cuts the batch into runs of at most {@link #TOKENS} tokens of one sequence. */
    private void divide(TokenBatch batch) {
        if (firsts.length < batch.tokens()) {
            firsts = new int[batch.tokens()];
            counts = new int[batch.tokens()];
        }
        tiles = 0;
        for (int t = 0; t < batch.tokens(); t++) {
            boolean continues = t > 0 && batch.sequence(t) == batch.sequence(t - 1) && counts[tiles - 1] < TOKENS;
            if (continues) {
                counts[tiles - 1]++;
            } else {
                firsts[tiles] = t;
                counts[tiles] = 1;
                tiles++;
            }
        }
    }

    private void item(int item, int worker) {
        if (store == null || batch == null) {
            throw new IllegalStateException("no attention is running");
        }
        int kvHead = item % store.kvHeads();
        int first = firsts[item / store.kvHeads()];
        int count = counts[item / store.kvHeads()];
        int firstPosition = batch.position(first);
        int lastPosition = firstPosition + count - 1;
        int begin = Math.max(0, firstPosition - lookback);
        int sequence = batch.sequence(first);
        long headColumn = 4L * kvHead * perGroup * headDim;
        AttentionHeads heads = own[worker];
        heads.start(count, perGroup, headDim, store.paddedHeadDim(), scale);
        for (int start = begin / SPAN * SPAN; start <= lastPosition; start += SPAN) {
            int from = Math.max(begin, start);
            int to = Math.min(lastPosition, start + SPAN - 1);
            SpanReader.read(store, keys, values, batch, sequence, kvHead, from, to, heads.keys(), heads.values());
            for (int t = 0; t < count; t++) {
                int position = firstPosition + t;
                int least = Math.max(0, position - lookback);
                int visibleFrom = Math.max(least, start) - start;
                int visibleTo = Math.min(position, start + SPAN - 1) + 1 - start;
                if (visibleFrom < visibleTo) {
                    heads.span(t, qkv + (first + t) * stride + headColumn, visibleFrom, visibleTo, least >= start);
                }
            }
        }
        for (int t = 0; t < count; t++) {
            heads.finish(t, y + (first + t) * yStride + headColumn);
        }
    }

    @Override
    public void close() {
        for (AttentionHeads heads : own) {
            heads.close();
        }
    }
}
