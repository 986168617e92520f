package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-matrix tile: 32 rows of an f32 panel times 8 tokens, two vectors of rows at a time: sixteen accumulators, one chain
 * each, which go to memory and back between blocks of columns.
 */
final class PanelProduct {
    /** Tokens of a tile. */
    static final int TOKENS = 8;

    private static final VectorSpecies<Float> F = Lanes.F;

    private PanelProduct() {}

    /**
     * @param panel f32 {@code [columns][32]}: weights of 32 rows
     * @param activations f32 {@code [columns][8]}
     * @param acc f32 {@code [8][32]}: the chains so far, +0 before the first column
     */
    static void tile(long panel, long activations, int columns, long acc) {
        for (int row = 0; row < 32; row += 2 * L) {
            FloatVector a0 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row, LE);
            FloatVector b0 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 4L * L, LE);
            FloatVector a1 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 128, LE);
            FloatVector b1 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 128 + 4L * L, LE);
            FloatVector a2 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 256, LE);
            FloatVector b2 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 256 + 4L * L, LE);
            FloatVector a3 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 384, LE);
            FloatVector b3 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 384 + 4L * L, LE);
            FloatVector a4 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 512, LE);
            FloatVector b4 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 512 + 4L * L, LE);
            FloatVector a5 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 640, LE);
            FloatVector b5 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 640 + 4L * L, LE);
            FloatVector a6 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 768, LE);
            FloatVector b6 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 768 + 4L * L, LE);
            FloatVector a7 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 896, LE);
            FloatVector b7 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 896 + 4L * L, LE);
            FloatVector v;
            FloatVector w;
            FloatVector e;
            long p = panel + 4L * row;
            long x = activations;
            for (int k = 0; k < columns; k++) {
                v = FloatVector.fromMemorySegment(F, ALL, p, LE);
                w = FloatVector.fromMemorySegment(F, ALL, p + 4L * L, LE);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x));
                a0 = v.fma(e, a0);
                b0 = w.fma(e, b0);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4));
                a1 = v.fma(e, a1);
                b1 = w.fma(e, b1);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 8));
                a2 = v.fma(e, a2);
                b2 = w.fma(e, b2);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 12));
                a3 = v.fma(e, a3);
                b3 = w.fma(e, b3);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 16));
                a4 = v.fma(e, a4);
                b4 = w.fma(e, b4);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 20));
                a5 = v.fma(e, a5);
                b5 = w.fma(e, b5);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 24));
                a6 = v.fma(e, a6);
                b6 = w.fma(e, b6);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 28));
                a7 = v.fma(e, a7);
                b7 = w.fma(e, b7);
                p += 128;
                x += 32;
            }
            a0.intoMemorySegment(ALL, acc + 4L * row, LE);
            b0.intoMemorySegment(ALL, acc + 4L * row + 4L * L, LE);
            a1.intoMemorySegment(ALL, acc + 4L * row + 128, LE);
            b1.intoMemorySegment(ALL, acc + 4L * row + 128 + 4L * L, LE);
            a2.intoMemorySegment(ALL, acc + 4L * row + 256, LE);
            b2.intoMemorySegment(ALL, acc + 4L * row + 256 + 4L * L, LE);
            a3.intoMemorySegment(ALL, acc + 4L * row + 384, LE);
            b3.intoMemorySegment(ALL, acc + 4L * row + 384 + 4L * L, LE);
            a4.intoMemorySegment(ALL, acc + 4L * row + 512, LE);
            b4.intoMemorySegment(ALL, acc + 4L * row + 512 + 4L * L, LE);
            a5.intoMemorySegment(ALL, acc + 4L * row + 640, LE);
            b5.intoMemorySegment(ALL, acc + 4L * row + 640 + 4L * L, LE);
            a6.intoMemorySegment(ALL, acc + 4L * row + 768, LE);
            b6.intoMemorySegment(ALL, acc + 4L * row + 768 + 4L * L, LE);
            a7.intoMemorySegment(ALL, acc + 4L * row + 896, LE);
            b7.intoMemorySegment(ALL, acc + 4L * row + 896 + 4L * L, LE);
        }
    }
}
