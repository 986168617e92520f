package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.NumericsId;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The products inside attention, over one span that was gathered as f32: for four query heads that share a KV head, or for
 * one. Every output is one chain. A caller with two or three heads names one of them twice, which writes the same twice.
 */
final class AttentionTiles {
    /** Tokens of a span. */
    static final int SPAN = NumericsId.SPAN;

    private static final VectorSpecies<Float> F = Lanes.F;

    private AttentionTiles() {}

    /**
     * {@code z[h][j] = (chain over e of q[h][e] · keys[e][j]) · scale} for tokens {@code [from, to)}, multiples of 32.
     *
     * @param keys f32 {@code [headDim][128]}
     * @param q0 four queries {@code [headDim]}, q0 to q3
     * @param z0 four rows of 128 scores, z0 to z3
     */
    static void scores4(
            long keys,
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
            long k = keys + 4L * j;
            for (int e = 0; e < headDim; e++, k += 4 * SPAN) {
                FloatVector v = FloatVector.fromMemorySegment(F, ALL, k, LE);
                FloatVector w = FloatVector.fromMemorySegment(F, ALL, k + 4L * L, LE);
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
            b0.mul(scale).intoMemorySegment(ALL, z0 + 4L * j + 4L * L, LE);
            a1.mul(scale).intoMemorySegment(ALL, z1 + 4L * j, LE);
            b1.mul(scale).intoMemorySegment(ALL, z1 + 4L * j + 4L * L, LE);
            a2.mul(scale).intoMemorySegment(ALL, z2 + 4L * j, LE);
            b2.mul(scale).intoMemorySegment(ALL, z2 + 4L * j + 4L * L, LE);
            a3.mul(scale).intoMemorySegment(ALL, z3 + 4L * j, LE);
            b3.mul(scale).intoMemorySegment(ALL, z3 + 4L * j + 4L * L, LE);
        }
    }

    /** {@link #scores4} for one head; {@code [from, to)} are multiples of 64. */
    static void scores1(long keys, int headDim, int from, int to, float scale, long query, long z) {
        for (int j = from; j < to; j += 4 * L) {
            FloatVector a = FloatVector.zero(F);
            FloatVector b = FloatVector.zero(F);
            FloatVector c = FloatVector.zero(F);
            FloatVector d = FloatVector.zero(F);
            long k = keys + 4L * j;
            for (int e = 0; e < headDim; e++, k += 4 * SPAN) {
                FloatVector q = FloatVector.broadcast(F, ALL.get(FLOAT, query + 4L * e));
                a = FloatVector.fromMemorySegment(F, ALL, k, LE).fma(q, a);
                b = FloatVector.fromMemorySegment(F, ALL, k + 4L * L, LE).fma(q, b);
                c = FloatVector.fromMemorySegment(F, ALL, k + 8L * L, LE).fma(q, c);
                d = FloatVector.fromMemorySegment(F, ALL, k + 12L * L, LE).fma(q, d);
            }
            a.mul(scale).intoMemorySegment(ALL, z + 4L * j, LE);
            b.mul(scale).intoMemorySegment(ALL, z + 4L * j + 4L * L, LE);
            c.mul(scale).intoMemorySegment(ALL, z + 4L * j + 8L * L, LE);
            d.mul(scale).intoMemorySegment(ALL, z + 4L * j + 12L * L, LE);
        }
    }

    /**
     * {@code o[h][e] =} chain over tokens j in {@code [from, to)} of {@code fma(p[h][j], values[j][e], acc)}.
     *
     * @param values f32 {@code [128][width]}
     * @param width head dimension padded to a multiple of 16
     * @param p0 four rows of 128 weights, p0 to p3
     * @param o0 four outputs {@code [width]}, o0 to o3
     */
    static void values4(
            long values,
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
        for (int e = 0; e < width; e += 2 * L) {
            // an odd vector at the end is its own neighbour
            int f = Math.min(e + L, width - L);
            FloatVector a0 = FloatVector.zero(F);
            FloatVector b0 = FloatVector.zero(F);
            FloatVector a1 = FloatVector.zero(F);
            FloatVector b1 = FloatVector.zero(F);
            FloatVector a2 = FloatVector.zero(F);
            FloatVector b2 = FloatVector.zero(F);
            FloatVector a3 = FloatVector.zero(F);
            FloatVector b3 = FloatVector.zero(F);
            long row = values + 4L * from * width;
            for (int j = from; j < to; j++, row += 4L * width) {
                FloatVector v = FloatVector.fromMemorySegment(F, ALL, row + 4L * e, LE);
                FloatVector w = FloatVector.fromMemorySegment(F, ALL, row + 4L * f, LE);
                FloatVector p = FloatVector.broadcast(F, ALL.get(FLOAT, p0 + 4L * j));
                a0 = v.fma(p, a0);
                b0 = w.fma(p, b0);
                p = FloatVector.broadcast(F, ALL.get(FLOAT, p1 + 4L * j));
                a1 = v.fma(p, a1);
                b1 = w.fma(p, b1);
                p = FloatVector.broadcast(F, ALL.get(FLOAT, p2 + 4L * j));
                a2 = v.fma(p, a2);
                b2 = w.fma(p, b2);
                p = FloatVector.broadcast(F, ALL.get(FLOAT, p3 + 4L * j));
                a3 = v.fma(p, a3);
                b3 = w.fma(p, b3);
            }
            a0.intoMemorySegment(ALL, o0 + 4L * e, LE);
            b0.intoMemorySegment(ALL, o0 + 4L * f, LE);
            a1.intoMemorySegment(ALL, o1 + 4L * e, LE);
            b1.intoMemorySegment(ALL, o1 + 4L * f, LE);
            a2.intoMemorySegment(ALL, o2 + 4L * e, LE);
            b2.intoMemorySegment(ALL, o2 + 4L * f, LE);
            a3.intoMemorySegment(ALL, o3 + 4L * e, LE);
            b3.intoMemorySegment(ALL, o3 + 4L * f, LE);
        }
    }

    /** {@link #values4} for one head. */
    static void values1(long values, int width, int from, int to, long weights, long o) {
        for (int e = 0; e < width; e += 4 * L) {
            int f = Math.min(e + L, width - L);
            int g = Math.min(e + 2 * L, width - L);
            int h = Math.min(e + 3 * L, width - L);
            FloatVector a = FloatVector.zero(F);
            FloatVector b = FloatVector.zero(F);
            FloatVector c = FloatVector.zero(F);
            FloatVector d = FloatVector.zero(F);
            long row = values + 4L * from * width;
            for (int j = from; j < to; j++, row += 4L * width) {
                FloatVector p = FloatVector.broadcast(F, ALL.get(FLOAT, weights + 4L * j));
                a = FloatVector.fromMemorySegment(F, ALL, row + 4L * e, LE).fma(p, a);
                b = FloatVector.fromMemorySegment(F, ALL, row + 4L * f, LE).fma(p, b);
                c = FloatVector.fromMemorySegment(F, ALL, row + 4L * g, LE).fma(p, c);
                d = FloatVector.fromMemorySegment(F, ALL, row + 4L * h, LE).fma(p, d);
            }
            a.intoMemorySegment(ALL, o + 4L * e, LE);
            b.intoMemorySegment(ALL, o + 4L * f, LE);
            c.intoMemorySegment(ALL, o + 4L * g, LE);
            d.intoMemorySegment(ALL, o + 4L * h, LE);
        }
    }
}
