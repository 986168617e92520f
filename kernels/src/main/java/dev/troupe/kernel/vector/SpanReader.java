package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.vector.lanes.HalfFloats;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Gathering of one KV head's keys and values of a span from the cache's blocks as f32, sixteen tokens at a time. Tokens of
 * a group of sixteen that the caller does not see come along; what is made of them is thrown away.
 */
final class SpanReader {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Short> S = Lanes.S;
    private static final int TOKENS = 16;
    private static final int MASK = HalfFloats.MASK;
    private static final float SCALE = HalfFloats.SCALE;

    private SpanReader() {}

    /**
     * Reads positions {@code [from, to]} of one span, and their neighbours.
     *
     * @param keyBase address of the layer's keys
     * @param valueBase address of the layer's values
     * @param keys gets f32 {@code [headDim][128]}, by position mod 128
     * @param values gets f32 {@code [128][paddedHeadDim]}
     */
    static void read(
            KvStore store,
            long keyBase,
            long valueBase,
            TokenBatch batch,
            int sequence,
            int head,
            int from,
            int to,
            long keys,
            long values) {
        int blockSize = store.blockSize();
        int width = store.paddedHeadDim();
        for (int position = from & -TOKENS; position <= to; position += TOKENS) {
            int block = batch.block(sequence, position, blockSize);
            int slot = position % blockSize;
            int at = position % AttentionTiles.SPAN;
            long key = keyBase + store.keyOffset(block, head, 0, slot);
            long value = valueBase + store.valueOffset(block, head, slot, 0);
            if (store.type() == KvType.F32) {
                keyFloats(key, store.headDim(), 4L * blockSize, keys + 4L * at);
                valueFloats(value, TOKENS * width, values + 4L * at * width);
            } else {
                keyHalves(key, store.headDim(), 2L * blockSize, keys + 4L * at);
                valueHalves(value, TOKENS * width, values + 4L * at * width);
            }
        }
    }

    private static void keyFloats(long from, int headDim, long stride, long to) {
        for (int e = 0; e < headDim; e++) {
            for (int i = 0; i < TOKENS; i += L) {
                FloatVector.fromMemorySegment(F, ALL, from + e * stride + 4L * i, LE)
                        .intoMemorySegment(ALL, to + 4L * (e * AttentionTiles.SPAN + i), LE);
            }
        }
    }

    private static void keyHalves(long from, int headDim, long stride, long to) {
        for (int e = 0; e < headDim; e++) {
            for (int i = 0; i < TOKENS; i += L) {
                ((IntVector) ShortVector.fromMemorySegment(S, ALL, from + e * stride + 2L * i, LE)
                                .convertShape(S2I, I, 0))
                        .lanewise(LSHL, 13)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE)
                        .intoMemorySegment(ALL, to + 4L * (e * AttentionTiles.SPAN + i), LE);
            }
        }
    }

    private static void valueFloats(long from, int count, long to) {
        for (int i = 0; i < count; i += L) {
            FloatVector.fromMemorySegment(F, ALL, from + 4L * i, LE).intoMemorySegment(ALL, to + 4L * i, LE);
        }
    }

    private static void valueHalves(long from, int count, long to) {
        for (int i = 0; i < count; i += L) {
            ((IntVector) ShortVector.fromMemorySegment(S, ALL, from + 2L * i, LE)
                            .convertShape(S2I, I, 0))
                    .lanewise(LSHL, 13)
                    .and(MASK)
                    .reinterpretAsFloats()
                    .mul(SCALE)
                    .intoMemorySegment(ALL, to + 4L * i, LE);
        }
    }
}
