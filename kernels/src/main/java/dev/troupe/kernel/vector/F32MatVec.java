package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-vector tile of f32 weights: eight vectors of rows, one chain over the columns each.
 * Eight chains hide the latency of the multiply-add; two columns a turn.
 */
final class F32MatVec {
    private static final VectorSpecies<Float> F = Lanes.F;

    private F32MatVec() {}

    /**
     * @param o0 address of the group that unit 0 lies in at column 0, and so on
     * @param x f32 activations {@code [columns]}
     * @param y f32 {@code [32 · Lanes.GROUPS]}
     */
    static void tile(long o0, long o1, long o2, long o3, int columns, long x, long y) {
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = FloatVector.zero(F);
        FloatVector a2 = FloatVector.zero(F);
        FloatVector a3 = FloatVector.zero(F);
        FloatVector a4 = FloatVector.zero(F);
        FloatVector a5 = FloatVector.zero(F);
        FloatVector a6 = FloatVector.zero(F);
        FloatVector a7 = FloatVector.zero(F);
        long o = 0;
        int k = 0;
        for (; k + 1 < columns; k += 2, o += 256) {
            FloatVector e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4L * k));
            a0 = FloatVector.fromMemorySegment(F, ALL, o0 + o, LE).fma(e, a0);
            a1 = FloatVector.fromMemorySegment(F, ALL, o0 + o + 64, LE).fma(e, a1);
            a2 = FloatVector.fromMemorySegment(F, ALL, o1 + o + 4L * Lanes.UNIT_1, LE)
                    .fma(e, a2);
            a3 = FloatVector.fromMemorySegment(F, ALL, o1 + o + 4L * Lanes.UNIT_1 + 64, LE)
                    .fma(e, a3);
            a4 = FloatVector.fromMemorySegment(F, ALL, o2 + o + 4L * Lanes.UNIT_2, LE)
                    .fma(e, a4);
            a5 = FloatVector.fromMemorySegment(F, ALL, o2 + o + 4L * Lanes.UNIT_2 + 64, LE)
                    .fma(e, a5);
            a6 = FloatVector.fromMemorySegment(F, ALL, o3 + o + 4L * Lanes.UNIT_3, LE)
                    .fma(e, a6);
            a7 = FloatVector.fromMemorySegment(F, ALL, o3 + o + 4L * Lanes.UNIT_3 + 64, LE)
                    .fma(e, a7);
            FloatVector f = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4L * k + 4));
            a0 = FloatVector.fromMemorySegment(F, ALL, o0 + o + 128, LE).fma(f, a0);
            a1 = FloatVector.fromMemorySegment(F, ALL, o0 + o + 192, LE).fma(f, a1);
            a2 = FloatVector.fromMemorySegment(F, ALL, o1 + o + 4L * Lanes.UNIT_1 + 128, LE)
                    .fma(f, a2);
            a3 = FloatVector.fromMemorySegment(F, ALL, o1 + o + 4L * Lanes.UNIT_1 + 192, LE)
                    .fma(f, a3);
            a4 = FloatVector.fromMemorySegment(F, ALL, o2 + o + 4L * Lanes.UNIT_2 + 128, LE)
                    .fma(f, a4);
            a5 = FloatVector.fromMemorySegment(F, ALL, o2 + o + 4L * Lanes.UNIT_2 + 192, LE)
                    .fma(f, a5);
            a6 = FloatVector.fromMemorySegment(F, ALL, o3 + o + 4L * Lanes.UNIT_3 + 128, LE)
                    .fma(f, a6);
            a7 = FloatVector.fromMemorySegment(F, ALL, o3 + o + 4L * Lanes.UNIT_3 + 192, LE)
                    .fma(f, a7);
        }
        if (k < columns) {
            FloatVector e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4L * k));
            a0 = FloatVector.fromMemorySegment(F, ALL, o0 + o, LE).fma(e, a0);
            a1 = FloatVector.fromMemorySegment(F, ALL, o0 + o + 64, LE).fma(e, a1);
            a2 = FloatVector.fromMemorySegment(F, ALL, o1 + o + 4L * Lanes.UNIT_1, LE)
                    .fma(e, a2);
            a3 = FloatVector.fromMemorySegment(F, ALL, o1 + o + 4L * Lanes.UNIT_1 + 64, LE)
                    .fma(e, a3);
            a4 = FloatVector.fromMemorySegment(F, ALL, o2 + o + 4L * Lanes.UNIT_2, LE)
                    .fma(e, a4);
            a5 = FloatVector.fromMemorySegment(F, ALL, o2 + o + 4L * Lanes.UNIT_2 + 64, LE)
                    .fma(e, a5);
            a6 = FloatVector.fromMemorySegment(F, ALL, o3 + o + 4L * Lanes.UNIT_3, LE)
                    .fma(e, a6);
            a7 = FloatVector.fromMemorySegment(F, ALL, o3 + o + 4L * Lanes.UNIT_3 + 64, LE)
                    .fma(e, a7);
        }
        a0.intoMemorySegment(ALL, y, LE);
        a1.intoMemorySegment(ALL, y + 64, LE);
        a2.intoMemorySegment(ALL, y + 4L * Lanes.ROW_1, LE);
        a3.intoMemorySegment(ALL, y + 4L * Lanes.ROW_1 + 64, LE);
        a4.intoMemorySegment(ALL, y + 4L * Lanes.ROW_2, LE);
        a5.intoMemorySegment(ALL, y + 4L * Lanes.ROW_2 + 64, LE);
        a6.intoMemorySegment(ALL, y + 4L * Lanes.ROW_3, LE);
        a7.intoMemorySegment(ALL, y + 4L * Lanes.ROW_3 + 64, LE);
    }
}
