package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.Lanes.ALL;
import static dev.troupe.kernel.vector.Lanes.L;
import static dev.troupe.kernel.vector.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.troupe.kernel.PackedMatrix;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Unpacking of one group of 32 rows to an f32 panel {@code [columns][32]}, which many tokens then share. An f32 group is
 * such a panel as it lies.
 */
final class Panels {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Byte> B = Lanes.B;
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

    /** {@code columns} columns of an f16 group from {@code weights}; 32 scales are one column. */
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

    /**
     * Whole pieces of a q8_0 group: integers to {@code panel}, {@code [pieces][32][32]}, and scales to {@code scales},
     * {@code [pieces][32]}.
     */
    static void q8(long weights, int pieces, long panel, long scales) {
        for (int p = 0; p < pieces; p++) {
            long piece = weights + (long) PackedMatrix.Q8_PIECE_BYTES * p;
            f16(piece, 1, scales + 128L * p);
            long from = piece + 64;
            long to = panel + 4096L * p;
            for (int i = 0; i < 1024; i += L) {
                ((FloatVector) ByteVector.fromMemorySegment(B, ALL, from + i, LE)
                                .convertShape(B2F, F, 0))
                        .intoMemorySegment(ALL, to + 4L * i, LE);
            }
        }
    }
}
