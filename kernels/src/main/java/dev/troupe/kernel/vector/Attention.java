package dev.troupe.kernel.vector;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.Tensor;

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

    private final AttentionCall call;
    private final DirectAttention direct;

    /**
     * @param natives whether single tokens' attention is the native one, which must run here
     */
    Attention(WorkerPool pool, boolean natives) {
        this(pool, new AttentionCall(), natives);
    }

    Attention(WorkerPool pool, AttentionCall call, boolean natives) {
        this.pool = pool;
        this.call = call;
        this.direct = new DirectAttention(pool, call, natives);
        this.own = new AttentionHeads[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new AttentionHeads();
        }
    }

    /** As {@code Kernels.attention}. */
    void attend(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch batch, Tensor y) {
        call.begin(store, layer, qkv, scale, window, batch, y);
        try {
            divide(batch, direct.takes(store, call.perGroup()));
            direct.run();
            pool.run(tiles * store.kvHeads(), item);
        } finally {
            call.end();
        }
    }

    /**
     * Cuts the batch into runs of at most {@link #TOKENS} tokens of one sequence.
     *
     * @param alone whether runs of one token are run directly
     */
    private void divide(TokenBatch batch, boolean alone) {
        if (firsts.length < batch.tokens()) {
            firsts = new int[batch.tokens()];
            counts = new int[batch.tokens()];
        }
        tiles = 0;
        direct.clear();
        int next;
        for (int first = 0; first < batch.tokens(); first = next) {
            next = first + 1;
            while (next < batch.tokens() && next < first + TOKENS && batch.sequence(next) == batch.sequence(first)) {
                next++;
            }
            if (alone && next == first + 1) {
                direct.add(first);
            } else {
                firsts[tiles] = first;
                counts[tiles] = next - first;
                tiles++;
            }
        }
    }

    private void item(int item, int worker) {
        KvStore store = call.store();
        TokenBatch batch = call.batch();
        int kvHead = item % store.kvHeads();
        int first = firsts[item / store.kvHeads()];
        int count = counts[item / store.kvHeads()];
        int firstPosition = batch.position(first);
        int lastPosition = firstPosition + count - 1;
        int begin = call.begin(first);
        int sequence = batch.sequence(first);
        AttentionHeads heads = own[worker];
        heads.start(count, call.perGroup(), store.headDim(), store.paddedHeadDim(), call.scale());
        for (int start = begin / SPAN * SPAN; start <= lastPosition; start += SPAN) {
            int from = Math.max(begin, start);
            int to = Math.min(lastPosition, start + SPAN - 1);
            SpanReader.read(
                    store, call.keys(), call.values(), batch, sequence, kvHead, from, to, heads.keys(), heads.values());
            for (int t = 0; t < count; t++) {
                int position = firstPosition + t;
                int least = call.begin(first + t);
                int visibleFrom = Math.max(least, start) - start;
                int visibleTo = Math.min(position, start + SPAN - 1) + 1 - start;
                if (visibleFrom < visibleTo) {
                    heads.span(t, call.queries(first + t, kvHead), visibleFrom, visibleTo, least >= start);
                }
            }
        }
        for (int t = 0; t < count; t++) {
            heads.finish(t, call.outputs(first + t, kvHead));
        }
    }

    @Override
    public void close() {
        direct.close();
        for (AttentionHeads heads : own) {
            heads.close();
        }
    }
}
