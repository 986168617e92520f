package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.troupe.kernel.vector.lanes.HalfFloats;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Unpacking of one group of 32 rows to an f32 panel {@code [columns][32]}, which many tokens then share. An f32 group is
 * such a panel as it lies.
 */
final class Panels {
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final int HIGH = 0xffff0000;
    private static final int MASK = HalfFloats.MASK;
    private static final float SCALE = HalfFloats.SCALE;

    private Panels() {}

    /** {@code columns} columns of a bf16 group from {@code weights}. */
    static void bf16(long weights, int columns, long panel) {
        for (int k = 0; k < columns; k++) {
            for (int unit = 0; unit < 16; unit += L) {
                IntVector v = IntVector.fromMemorySegment(I, ALL, weights + 64L * k + 4L * unit, LE);
                long to = panel + 128L * k + 4L * unit;
                v.lanewise(LSHL, 16).reinterpretAsFloats().intoMemorySegment(ALL, to, LE);
                v.and(HIGH).reinterpretAsFloats().intoMemorySegment(ALL, to + 64, LE);
            }
        }
    }

    /** {@code columns} columns of an f16 group from {@code weights}. */
    static void f16(long weights, int columns, long panel) {
        for (int k = 0; k < columns; k++) {
            for (int unit = 0; unit < 16; unit += L) {
                IntVector v = IntVector.fromMemorySegment(I, ALL, weights + 64L * k + 4L * unit, LE);
                long to = panel + 128L * k + 4L * unit;
                v.lanewise(LSHL, 16)
                        .lanewise(ASHR, 3)
                        .and(MASK)
                        .reinterpretAsFloats()
                        .mul(SCALE)
                        .intoMemorySegment(ALL, to, LE);
                v.lanewise(ASHR, 3).and(MASK).reinterpretAsFloats().mul(SCALE).intoMemorySegment(ALL, to + 64, LE);
            }
        }
    }
}
