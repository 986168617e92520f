package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-vector tile of bf16 weights: eight vectors of rows, one chain over the columns each.
 * Eight chains hide the latency of the multiply-add; two columns a turn.
 */
final class Bf16MatVec {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final int HIGH = 0xffff0000;

    private Bf16MatVec() {}

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
        IntVector v;
        for (; k + 1 < columns; k += 2, o += 128) {
            FloatVector e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4L * k));
            v = IntVector.fromMemorySegment(I, ALL, o0 + o, LE);
            a0 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a0);
            a1 = v.and(HIGH).reinterpretAsFloats().fma(e, a1);
            v = IntVector.fromMemorySegment(I, ALL, o1 + o + 4L * Lanes.UNIT_1, LE);
            a2 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a2);
            a3 = v.and(HIGH).reinterpretAsFloats().fma(e, a3);
            v = IntVector.fromMemorySegment(I, ALL, o2 + o + 4L * Lanes.UNIT_2, LE);
            a4 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a4);
            a5 = v.and(HIGH).reinterpretAsFloats().fma(e, a5);
            v = IntVector.fromMemorySegment(I, ALL, o3 + o + 4L * Lanes.UNIT_3, LE);
            a6 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a6);
            a7 = v.and(HIGH).reinterpretAsFloats().fma(e, a7);
            FloatVector f = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4L * k + 4));
            v = IntVector.fromMemorySegment(I, ALL, o0 + o + 64, LE);
            a0 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(f, a0);
            a1 = v.and(HIGH).reinterpretAsFloats().fma(f, a1);
            v = IntVector.fromMemorySegment(I, ALL, o1 + o + 4L * Lanes.UNIT_1 + 64, LE);
            a2 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(f, a2);
            a3 = v.and(HIGH).reinterpretAsFloats().fma(f, a3);
            v = IntVector.fromMemorySegment(I, ALL, o2 + o + 4L * Lanes.UNIT_2 + 64, LE);
            a4 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(f, a4);
            a5 = v.and(HIGH).reinterpretAsFloats().fma(f, a5);
            v = IntVector.fromMemorySegment(I, ALL, o3 + o + 4L * Lanes.UNIT_3 + 64, LE);
            a6 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(f, a6);
            a7 = v.and(HIGH).reinterpretAsFloats().fma(f, a7);
        }
        if (k < columns) {
            FloatVector e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4L * k));
            v = IntVector.fromMemorySegment(I, ALL, o0 + o, LE);
            a0 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a0);
            a1 = v.and(HIGH).reinterpretAsFloats().fma(e, a1);
            v = IntVector.fromMemorySegment(I, ALL, o1 + o + 4L * Lanes.UNIT_1, LE);
            a2 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a2);
            a3 = v.and(HIGH).reinterpretAsFloats().fma(e, a3);
            v = IntVector.fromMemorySegment(I, ALL, o2 + o + 4L * Lanes.UNIT_2, LE);
            a4 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a4);
            a5 = v.and(HIGH).reinterpretAsFloats().fma(e, a5);
            v = IntVector.fromMemorySegment(I, ALL, o3 + o + 4L * Lanes.UNIT_3, LE);
            a6 = v.lanewise(LSHL, 16).reinterpretAsFloats().fma(e, a6);
            a7 = v.and(HIGH).reinterpretAsFloats().fma(e, a7);
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
