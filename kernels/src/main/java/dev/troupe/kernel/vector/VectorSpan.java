package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;

/** {@link SpanAttention} through the Vector API, one KV head after the other. */
final class VectorSpan extends SpanAttention {
    private static final int GROUP = HalfTiles.GROUP;

    private final long[] keys = new long[SPAN / GROUP];
    private final long[] values = new long[SPAN / GROUP];

    VectorSpan(AttentionCall call) {
        super(call);
    }

    @Override
    void attend(
            int token,
            int start,
            int from,
            int to,
            int firstHead,
            int kvHeads,
            long next,
            long maxima,
            long denominators,
            long outputs) {
        KvStore store = call.store();
        TokenBatch batch = call.batch();
        int low = from & -32;
        int high = (to + 31) & -32;
        int blockSize = store.blockSize();
        for (int group = low / GROUP; group < high / GROUP; group++) {
            // a group without a visible token may have no block; what is read in its place is not used
            int position = start + GROUP * Math.clamp(group, from / GROUP, (to - 1) / GROUP);
            int block = batch.block(batch.sequence(token), position, blockSize);
            keys[group] = call.keys() + store.keyOffset(block, 0, 0, position % blockSize);
            values[group] = call.values() + store.valueOffset(block, 0, position % blockSize, 0);
        }
        int perGroup = call.perGroup();
        long scores = scratch.atLeast(4L * SPAN * perGroup + LaneTree.BYTES);
        long lanes = scores + 4L * SPAN * perGroup;
        for (int i = 0; i < kvHeads; i++) {
            score(firstHead + i, low, high, call.queries(token, firstHead + i), scores);
            for (int h = 0; h < perGroup; h++) {
                long z = scores + 4L * SPAN * h;
                long state = 4L * (i * perGroup + h);
                float maximum = SpanSoftmax.maximum(z, low, from, to, high);
                ALL.set(FLOAT, maxima + state, maximum);
                ALL.set(FLOAT, denominators + state, SpanSoftmax.weights(z, low, high, maximum, lanes));
            }
            weigh(firstHead + i, from, to, scores, outputs + 4L * i * perGroup * store.paddedHeadDim());
        }
    }

    private void score(int kvHead, int low, int high, long queries, long scores) {
        KvStore store = call.store();
        int last = call.perGroup() - 1;
        long q = 4L * store.headDim();
        long z = 4L * SPAN;
        for (int h = 0; h <= last; h += 4) {
            int h1 = Math.min(h + 1, last);
            int h2 = Math.min(h + 2, last);
            int h3 = Math.min(h + 3, last);
            HalfTiles.scores4(
                    keys,
                    store.keyOffset(0, kvHead, 0, 0),
                    2L * store.blockSize(),
                    store.headDim(),
                    low,
                    high,
                    call.scale(),
                    queries + q * h,
                    queries + q * h1,
                    queries + q * h2,
                    queries + q * h3,
                    scores + z * h,
                    scores + z * h1,
                    scores + z * h2,
                    scores + z * h3);
        }
    }

    private void weigh(int kvHead, int from, int to, long weights, long output) {
        int last = call.perGroup() - 1;
        long p = 4L * SPAN;
        int width = call.store().paddedHeadDim();
        long o = 4L * width;
        for (int h = 0; h <= last; h += 4) {
            int h1 = Math.min(h + 1, last);
            int h2 = Math.min(h + 2, last);
            int h3 = Math.min(h + 3, last);
            HalfTiles.values4(
                    values,
                    call.store().valueOffset(0, kvHead, 0, 0),
                    width,
                    from,
                    to,
                    weights + p * h,
                    weights + p * h1,
                    weights + p * h2,
                    weights + p * h3,
                    output + o * h,
                    output + o * h1,
                    output + o * h2,
                    output + o * h3);
        }
    }
}
