package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

import dev.troupe.kernel.vector.lanes.HalfFloats;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The products of {@link AttentionTiles} with f16 keys and values as the cache's blocks hold them, for a token that shares its
 * context with no other. A span is eight groups of sixteen tokens, each with an address of its own. Every output is the same
 * chain.
 */
final class HalfTiles {
    /** Tokens of a group: the smallest block. */
    static final int GROUP = 16;

    private static final int LOG_GROUP = 4;
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Short> S = Lanes.S;
    private static final int MASK = HalfFloats.MASK;
    private static final float SCALE = HalfFloats.SCALE;

    private HalfTiles() {}

    /**
     * {@code z[h][j] = (chain over e of q[h][e] · keys[e][j]) · scale} for tokens {@code [from, to)}, multiples of 32.
     *
     * @param keys of every group the address of its f16 {@code [headDim][16]}, less {@code head}
     * @param head bytes from there to this KV head
     * @param stride bytes from one element to the next
     */
    static void scores4(
            long[] keys,
            long head,
            long stride,
            int headDim,
            int from,
            int to,
            float scale,
            long q0,
            long q1,
            long q2,
            long q3,
            long z0,
            long z1,
            long z2,
            long z3) {
        for (int j = from; j < to; j += 2 * L) {
            FloatVector a0 = FloatVector.zero(F);
            FloatVector b0 = FloatVector.zero(F);
            FloatVector a1 = FloatVector.zero(F);
            FloatVector b1 = FloatVector.zero(F);
            FloatVector a2 = FloatVector.zero(F);
            FloatVector b2 = FloatVector.zero(F);
            FloatVector a3 = FloatVector.zero(F);
            FloatVector b3 = FloatVector.zero(F);
            int i = j + L;
            long k = keys[j >> LOG_GROUP] + head + 2L * (j % GROUP);
            long l = keys[i >> LOG_GROUP] + head + 2L * (i % GROUP);
            for (int e = 0; e < headDim; e++, k += stride, l += stride) {
                FloatVector v = ((IntVector)
                                ShortVector.fromMemorySegment(S, ALL, k, LE).convertShape(S2I, I, 0))
                        .lanewise(LSHL, 13)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE);
                FloatVector w = ((IntVector)
                                ShortVector.fromMemorySegment(S, ALL, l, LE).convertShape(S2I, I, 0))
                        .lanewise(LSHL, 13)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE);
                FloatVector q = FloatVector.broadcast(F, ALL.get(FLOAT, q0 + 4L * e));
                a0 = v.fma(q, a0);
                b0 = w.fma(q, b0);
                q = FloatVector.broadcast(F, ALL.get(FLOAT, q1 + 4L * e));
                a1 = v.fma(q, a1);
                b1 = w.fma(q, b1);
                q = FloatVector.broadcast(F, ALL.get(FLOAT, q2 + 4L * e));
                a2 = v.fma(q, a2);
                b2 = w.fma(q, b2);
                q = FloatVector.broadcast(F, ALL.get(FLOAT, q3 + 4L * e));
                a3 = v.fma(q, a3);
                b3 = w.fma(q, b3);
            }
            a0.mul(scale).intoMemorySegment(ALL, z0 + 4L * j, LE);
            b0.mul(scale).intoMemorySegment(ALL, z0 + 4L * i, LE);
            a1.mul(scale).intoMemorySegment(ALL, z1 + 4L * j, LE);
            b1.mul(scale).intoMemorySegment(ALL, z1 + 4L * i, LE);
            a2.mul(scale).intoMemorySegment(ALL, z2 + 4L * j, LE);
            b2.mul(scale).intoMemorySegment(ALL, z2 + 4L * i, LE);
            a3.mul(scale).intoMemorySegment(ALL, z3 + 4L * j, LE);
            b3.mul(scale).intoMemorySegment(ALL, z3 + 4L * i, LE);
        }
    }

    /**
     * {@code o[h][e] =} chain over tokens j in {@code [from, to)} of {@code fma(p[h][j], values[j][e], acc)}.
     *
     * @param values of every group the address of its f16 {@code [16][width]}, less {@code head}
     * @param head bytes from there to this KV head
     * @param width head dimension padded to a multiple of 16
     */
    static void values4(
            long[] values,
            long head,
            int width,
            int from,
            int to,
            long p0,
            long p1,
            long p2,
            long p3,
            long o0,
            long o1,
            long o2,
            long o3) {
        for (int e = 0; e < width; e += 4 * L) {
            // vectors beyond the end are the last one again
            int f = Math.min(e + L, width - L);
            int g = Math.min(e + 2 * L, width - L);
            int i = Math.min(e + 3 * L, width - L);
            FloatVector a0 = FloatVector.zero(F);
            FloatVector b0 = FloatVector.zero(F);
            FloatVector c0 = FloatVector.zero(F);
            FloatVector d0 = FloatVector.zero(F);
            FloatVector a1 = FloatVector.zero(F);
            FloatVector b1 = FloatVector.zero(F);
            FloatVector c1 = FloatVector.zero(F);
            FloatVector d1 = FloatVector.zero(F);
            FloatVector a2 = FloatVector.zero(F);
            FloatVector b2 = FloatVector.zero(F);
            FloatVector c2 = FloatVector.zero(F);
            FloatVector d2 = FloatVector.zero(F);
            FloatVector a3 = FloatVector.zero(F);
            FloatVector b3 = FloatVector.zero(F);
            FloatVector c3 = FloatVector.zero(F);
            FloatVector d3 = FloatVector.zero(F);
            for (int j = from; j < to; j++) {
                long row = values[j >> LOG_GROUP] + head + 2L * (j % GROUP) * width;
                FloatVector v = ((IntVector) ShortVector.fromMemorySegment(S, ALL, row + 2L * e, LE)
                                .convertShape(S2I, I, 0))
                        .lanewise(LSHL, 13)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE);
                FloatVector w = ((IntVector) ShortVector.fromMemorySegment(S, ALL, row + 2L * f, LE)
                                .convertShape(S2I, I, 0))
                        .lanewise(LSHL, 13)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE);
                FloatVector x = ((IntVector) ShortVector.fromMemorySegment(S, ALL, row + 2L * g, LE)
                                .convertShape(S2I, I, 0))
                        .lanewise(LSHL, 13)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE);
                FloatVector y = ((IntVector) ShortVector.fromMemorySegment(S, ALL, row + 2L * i, LE)
                                .convertShape(S2I, I, 0))
                        .lanewise(LSHL, 13)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE);
                FloatVector p = FloatVector.broadcast(F, ALL.get(FLOAT, p0 + 4L * j));
                a0 = v.fma(p, a0);
                b0 = w.fma(p, b0);
                c0 = x.fma(p, c0);
                d0 = y.fma(p, d0);
                p = FloatVector.broadcast(F, ALL.get(FLOAT, p1 + 4L * j));
                a1 = v.fma(p, a1);
                b1 = w.fma(p, b1);
                c1 = x.fma(p, c1);
                d1 = y.fma(p, d1);
                p = FloatVector.broadcast(F, ALL.get(FLOAT, p2 + 4L * j));
                a2 = v.fma(p, a2);
                b2 = w.fma(p, b2);
                c2 = x.fma(p, c2);
                d2 = y.fma(p, d2);
                p = FloatVector.broadcast(F, ALL.get(FLOAT, p3 + 4L * j));
                a3 = v.fma(p, a3);
                b3 = w.fma(p, b3);
                c3 = x.fma(p, c3);
                d3 = y.fma(p, d3);
            }
            a0.intoMemorySegment(ALL, o0 + 4L * e, LE);
            b0.intoMemorySegment(ALL, o0 + 4L * f, LE);
            c0.intoMemorySegment(ALL, o0 + 4L * g, LE);
            d0.intoMemorySegment(ALL, o0 + 4L * i, LE);
            a1.intoMemorySegment(ALL, o1 + 4L * e, LE);
            b1.intoMemorySegment(ALL, o1 + 4L * f, LE);
            c1.intoMemorySegment(ALL, o1 + 4L * g, LE);
            d1.intoMemorySegment(ALL, o1 + 4L * i, LE);
            a2.intoMemorySegment(ALL, o2 + 4L * e, LE);
            b2.intoMemorySegment(ALL, o2 + 4L * f, LE);
            c2.intoMemorySegment(ALL, o2 + 4L * g, LE);
            d2.intoMemorySegment(ALL, o2 + 4L * i, LE);
            a3.intoMemorySegment(ALL, o3 + 4L * e, LE);
            b3.intoMemorySegment(ALL, o3 + 4L * f, LE);
            c3.intoMemorySegment(ALL, o3 + 4L * g, LE);
            d3.intoMemorySegment(ALL, o3 + 4L * i, LE);
        }
    }
}
