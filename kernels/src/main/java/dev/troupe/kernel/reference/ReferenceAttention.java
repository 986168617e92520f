package dev.troupe.kernel.reference;

import dev.troupe.kernel.ExactMath;
import dev.troupe.kernel.NumericsId;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Attention of one query head of one token over the paged cache, span by span (NUMERICS rule 6). */
final class ReferenceAttention {
    private static final int SPAN = NumericsId.SPAN;

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final KvStore store;
    private final MemorySegment keys;
    private final MemorySegment values;
    private final TokenBatch batch;
    private final int sequence;
    private final int kvHead;
    private final float[] query;
    private final float scale;

    private float maximum;
    private float denominator;
    private final float[] output;

    /**
     * @param query {@code [headDim]}
     */
    ReferenceAttention(
            KvStore store, int layer, TokenBatch batch, int sequence, int kvHead, float[] query, float scale) {
        this.store = store;
        this.keys = store.keys(layer);
        this.values = store.values(layer);
        this.batch = batch;
        this.sequence = sequence;
        this.kvHead = kvHead;
        this.query = query;
        this.scale = scale;
        this.output = new float[query.length];
    }

    /** Attends to positions {@code [first, last]} and writes {@code o / l} to a row of y from {@code column}. */
    void attend(int first, int last, Tensor y, int token, int column) {
        boolean seen = false;
        for (int span = first / SPAN; span <= last / SPAN; span++) {
            int from = Math.max(first, span * SPAN);
            int to = Math.min(last, span * SPAN + SPAN - 1);
            span(from, to, seen);
            seen = true;
        }
        for (int i = 0; i < output.length; i++) {
            y.set(token, column + i, output[i] / denominator);
        }
    }

    /** One span's visible positions {@code [from, to]}, merged into what was seen before. */
    private void span(int from, int to, boolean seen) {
        float[] p = new float[to - from + 1];
        float m2 = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < p.length; i++) {
            p[i] = score(from + i);
            m2 = Math.max(m2, p[i]);
        }
        float[] lanes = new float[LaneSum.LANES];
        for (int i = 0; i < p.length; i++) {
            p[i] = ExactMath.exp(p[i] - m2);
            lanes[(from + i) % LaneSum.LANES] += p[i];
        }
        float l2 = LaneSum.tree(lanes);
        float[] o2 = new float[output.length];
        for (int i = 0; i < p.length; i++) {
            for (int e = 0; e < o2.length; e++) {
                o2[e] = Math.fma(p[i], value(from + i, e), o2[e]);
            }
        }
        if (seen) {
            merge(m2, l2, o2);
        } else {
            maximum = m2;
            denominator = l2;
            System.arraycopy(o2, 0, output, 0, o2.length);
        }
    }

    private void merge(float m2, float l2, float[] o2) {
        float m = Math.max(maximum, m2);
        float a = ExactMath.exp(maximum - m);
        float b = ExactMath.exp(m2 - m);
        denominator = Math.fma(denominator, a, l2 * b);
        for (int e = 0; e < o2.length; e++) {
            output[e] = Math.fma(output[e], a, o2[e] * b);
        }
        maximum = m;
    }

    private float score(int position) {
        float acc = 0f;
        for (int e = 0; e < query.length; e++) {
            acc = Math.fma(query[e], key(position, e), acc);
        }
        return acc * scale;
    }

    private float key(int position, int element) {
        int block = batch.block(sequence, position, store.blockSize());
        return read(keys, store.keyOffset(block, kvHead, element, position % store.blockSize()));
    }

    private float value(int position, int element) {
        int block = batch.block(sequence, position, store.blockSize());
        return read(values, store.valueOffset(block, kvHead, position % store.blockSize(), element));
    }

    private float read(MemorySegment memory, long offset) {
        return switch (store.type()) {
            case F32 -> memory.get(FLOAT, offset);
            case F16 -> Float.float16ToFloat(memory.get(SHORT, offset));
        };
    }
}
