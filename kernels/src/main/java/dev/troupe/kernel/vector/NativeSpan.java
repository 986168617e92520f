package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.natives.NativeAttention;
import dev.troupe.kvstore.KvStore;
import java.lang.foreign.ValueLayout;

/** {@link SpanAttention} by {@link NativeAttention}. */
final class NativeSpan extends SpanAttention {
    private static final ValueLayout.OfLong ADDRESS = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final int SMALLEST_BLOCK = 16;

    /** Bytes of a table of the blocks of a span. */
    private static final long TABLE = 8L * SPAN / SMALLEST_BLOCK;

    NativeSpan(AttentionCall call) {
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
        int blockSize = store.blockSize();
        long keys = scratch.atLeast(2 * TABLE + 4L * SPAN * kvHeads * call.perGroup());
        long values = keys + TABLE;
        int low = (from & -32) / blockSize;
        int high = (((to + 31) & -32) - 1) / blockSize;
        for (int i = low; i <= high; i++) {
            // a block without a visible token may not exist; what is read in its place is not used
            int position = start + blockSize * Math.clamp(i, from / blockSize, (to - 1) / blockSize);
            int block = batch.block(batch.sequence(token), position, blockSize);
            ALL.set(ADDRESS, keys + 8L * i, call.keys() + store.keyOffset(block, firstHead, 0, 0));
            ALL.set(ADDRESS, values + 8L * i, call.values() + store.valueOffset(block, firstHead, 0, 0));
        }
        NativeAttention.attend(
                keys,
                values,
                next,
                blockSize,
                from,
                to,
                kvHeads,
                call.perGroup(),
                store.headDim(),
                call.queries(token, firstHead),
                call.scale(),
                values + TABLE,
                maxima,
                denominators,
                outputs);
    }
}
