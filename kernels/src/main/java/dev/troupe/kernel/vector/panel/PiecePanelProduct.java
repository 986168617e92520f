package dev.troupe.kernel.vector.panel;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-matrix tile of block-quantised weights: 32 rows of a panel of integer-valued floats times 6 tokens, two vectors of
 * rows at a time. Each output has an accumulator of its piece, which is exact, and one of its row's chain: 24 registers.
 */
public final class PiecePanelProduct {
    /** Tokens of a tile. */
    public static final int TOKENS = 6;

    private static final VectorSpecies<Float> F = Lanes.F;

    private PiecePanelProduct() {}

    /**
     * @param panel integers as f32 {@code [pieces][32][32]}: columns of a piece by rows
     * @param panelFactors of the weights, f32 {@code [pieces][6][32]} as {@link PiecePanels} makes them
     * @param activations rounded activations as f32 {@code [pieces][32][6]}
     * @param factors of the activations, f32 {@code [pieces][5][6]}
     * @param acc f32 {@code [6][32]}: the chains so far, +0 before the first column
     */
    public static void tile(long panel, long panelFactors, int pieces, long activations, long factors, long acc) {
        for (int row = 0; row < 32; row += 2 * L) {
            FloatVector r0 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row, LE);
            FloatVector s0 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 4L * L, LE);
            FloatVector r1 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 128, LE);
            FloatVector s1 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 128 + 4L * L, LE);
            FloatVector r2 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 256, LE);
            FloatVector s2 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 256 + 4L * L, LE);
            FloatVector r3 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 384, LE);
            FloatVector s3 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 384 + 4L * L, LE);
            FloatVector r4 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 512, LE);
            FloatVector s4 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 512 + 4L * L, LE);
            FloatVector r5 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 640, LE);
            FloatVector s5 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * row + 640 + 4L * L, LE);
            FloatVector v;
            FloatVector w;
            FloatVector e;
            long x = activations;
            long block = panel + 4L * row;
            long d0 = panelFactors + 4L * row;
            long scale = factors;
            for (int p = 0; p < pieces; p++) {
                FloatVector a0 = FloatVector.zero(F);
                FloatVector b0 = FloatVector.zero(F);
                FloatVector a1 = FloatVector.zero(F);
                FloatVector b1 = FloatVector.zero(F);
                FloatVector a2 = FloatVector.zero(F);
                FloatVector b2 = FloatVector.zero(F);
                FloatVector a3 = FloatVector.zero(F);
                FloatVector b3 = FloatVector.zero(F);
                FloatVector a4 = FloatVector.zero(F);
                FloatVector b4 = FloatVector.zero(F);
                FloatVector a5 = FloatVector.zero(F);
                FloatVector b5 = FloatVector.zero(F);
                long q = block;
                for (int k = 0; k < 32; k++) {
                    v = FloatVector.fromMemorySegment(F, ALL, q, LE);
                    w = FloatVector.fromMemorySegment(F, ALL, q + 4L * L, LE);
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
                    q += 128;
                    x += 24;
                }
                FloatVector d = FloatVector.fromMemorySegment(F, ALL, d0, LE);
                FloatVector f = FloatVector.fromMemorySegment(F, ALL, d0 + 4L * L, LE);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, scale));
                r0 = a0.fma(d.mul(e), r0);
                s0 = b0.fma(f.mul(e), s0);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, scale + 4));
                r1 = a1.fma(d.mul(e), r1);
                s1 = b1.fma(f.mul(e), s1);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, scale + 8));
                r2 = a2.fma(d.mul(e), r2);
                s2 = b2.fma(f.mul(e), s2);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, scale + 12));
                r3 = a3.fma(d.mul(e), r3);
                s3 = b3.fma(f.mul(e), s3);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, scale + 16));
                r4 = a4.fma(d.mul(e), r4);
                s4 = b4.fma(f.mul(e), s4);
                e = FloatVector.broadcast(F, ALL.get(FLOAT, scale + 20));
                r5 = a5.fma(d.mul(e), r5);
                s5 = b5.fma(f.mul(e), s5);
                block += 4096;
                d0 += PiecePanels.FACTOR_BYTES;
                scale += 120;
            }
            r0.intoMemorySegment(ALL, acc + 4L * row, LE);
            s0.intoMemorySegment(ALL, acc + 4L * row + 4L * L, LE);
            r1.intoMemorySegment(ALL, acc + 4L * row + 128, LE);
            s1.intoMemorySegment(ALL, acc + 4L * row + 128 + 4L * L, LE);
            r2.intoMemorySegment(ALL, acc + 4L * row + 256, LE);
            s2.intoMemorySegment(ALL, acc + 4L * row + 256 + 4L * L, LE);
            r3.intoMemorySegment(ALL, acc + 4L * row + 384, LE);
            s3.intoMemorySegment(ALL, acc + 4L * row + 384 + 4L * L, LE);
            r4.intoMemorySegment(ALL, acc + 4L * row + 512, LE);
            s4.intoMemorySegment(ALL, acc + 4L * row + 512 + 4L * L, LE);
            r5.intoMemorySegment(ALL, acc + 4L * row + 640, LE);
            s5.intoMemorySegment(ALL, acc + 4L * row + 640 + 4L * L, LE);
        }
    }
}
