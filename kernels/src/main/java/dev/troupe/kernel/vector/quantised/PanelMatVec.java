package dev.troupe.kernel.vector.quantised;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.kernel.vector.panel.PiecePanels;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-vector tile of unpacked weights of any type: 32 rows of a panel that lies in the first cache, two vectors at a time,
 * four accumulators each. A type without an offset has b and its integer scales 0, which leaves the chain as it is.
 */
final class PanelMatVec {
    private static final VectorSpecies<Float> F = Lanes.F;

    private PanelMatVec() {}

    /**
     * @param panel integers as f32 {@code [pieces][32][32]}: columns of a piece by rows
     * @param panelFactors of the weights, f32 {@code [pieces][6][32]} as {@link PiecePanels} makes them
     * @param x rounded activations {@code [pieces][32]}, integers as f32
     * @param factors of the activations, f32 {@code [pieces][5]}
     * @param acc f32 {@code [32]}: the chains so far, +0 before the first column
     */
    static void tile(long panel, long panelFactors, int pieces, long x, long factors, long acc) {
        for (int unit = 0; unit < 16; unit += L) {
            FloatVector r0 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * unit, LE);
            FloatVector r1 = FloatVector.fromMemorySegment(F, ALL, acc + 4L * unit + 64, LE);
            FloatVector e;
            long w = panel + 4L * unit;
            long d = panelFactors + 4L * unit;
            long k = x;
            long factor = factors;
            for (int p = 0; p < pieces; p++) {
                FloatVector a0 = FloatVector.zero(F);
                FloatVector a1 = FloatVector.zero(F);
                FloatVector b0 = FloatVector.zero(F);
                FloatVector b1 = FloatVector.zero(F);
                FloatVector c0 = FloatVector.zero(F);
                FloatVector c1 = FloatVector.zero(F);
                FloatVector d0 = FloatVector.zero(F);
                FloatVector d1 = FloatVector.zero(F);
                for (int i = 0; i < 8; i++) {
                    e = FloatVector.broadcast(F, ALL.get(FLOAT, k));
                    a0 = FloatVector.fromMemorySegment(F, ALL, w, LE).fma(e, a0);
                    a1 = FloatVector.fromMemorySegment(F, ALL, w + 64, LE).fma(e, a1);
                    e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 4));
                    b0 = FloatVector.fromMemorySegment(F, ALL, w + 128, LE).fma(e, b0);
                    b1 = FloatVector.fromMemorySegment(F, ALL, w + 192, LE).fma(e, b1);
                    e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 8));
                    c0 = FloatVector.fromMemorySegment(F, ALL, w + 256, LE).fma(e, c0);
                    c1 = FloatVector.fromMemorySegment(F, ALL, w + 320, LE).fma(e, c1);
                    e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 12));
                    d0 = FloatVector.fromMemorySegment(F, ALL, w + 384, LE).fma(e, d0);
                    d1 = FloatVector.fromMemorySegment(F, ALL, w + 448, LE).fma(e, d1);
                    w += 512;
                    k += 16;
                }
                FloatVector s = FloatVector.broadcast(F, ALL.get(FLOAT, factor));
                FloatVector low = FloatVector.broadcast(F, ALL.get(FLOAT, factor + 4));
                FloatVector high = FloatVector.broadcast(F, ALL.get(FLOAT, factor + 8));
                e = FloatVector.fromMemorySegment(F, ALL, d, LE).mul(s);
                r0 = a0.add(b0).add(c0.add(d0)).fma(e, r0);
                e = FloatVector.fromMemorySegment(F, ALL, d + 64, LE).mul(s);
                r1 = a1.add(b1).add(c1.add(d1)).fma(e, r1);
                e = FloatVector.fromMemorySegment(F, ALL, d + 256, LE).mul(low);
                e = FloatVector.fromMemorySegment(F, ALL, d + 384, LE).fma(high, e);
                r0 = FloatVector.fromMemorySegment(F, ALL, d + 128, LE).mul(s).fma(e, r0);
                e = FloatVector.fromMemorySegment(F, ALL, d + 320, LE).mul(low);
                e = FloatVector.fromMemorySegment(F, ALL, d + 448, LE).fma(high, e);
                r1 = FloatVector.fromMemorySegment(F, ALL, d + 192, LE).mul(s).fma(e, r1);
                d += PiecePanels.FACTOR_BYTES;
                factor += 20;
            }
            r0.intoMemorySegment(ALL, acc + 4L * unit, LE);
            r1.intoMemorySegment(ALL, acc + 4L * unit + 64, LE);
        }
    }
}
