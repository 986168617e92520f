package dev.troupe.kernel.vector.quantised;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.vector.lanes.HalfFloats;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-vector tile of weights packed as bytes: eight vectors of rows. Inside a piece integer-valued floats are summed exactly, one
 * accumulator a vector; then one multiply-add with the scales goes to the row's chain.
 */
public final class Q8MatVec {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Byte> B = Lanes.B;
    private static final int MASK = HalfFloats.MASK;
    private static final float SCALE = HalfFloats.SCALE;

    private static final int PIECE_BYTES = PackedFormat.Q8_0.pieceBytes();

    private Q8MatVec() {}

    /**
     * @param o0 address of the group that unit 0 lies in at its first piece, and so on
     * @param x rounded activations {@code [pieces][32]}, integers as f32
     * @param factors of the activations, f32 {@code [pieces][5]}, the first of them their scale
     * @param y f32 {@code [32 · Lanes.GROUPS]}
     */
    public static void tile(long o0, long o1, long o2, long o3, int pieces, long x, long factors, long y) {
        FloatVector t0 = FloatVector.zero(F);
        FloatVector t1 = FloatVector.zero(F);
        FloatVector t2 = FloatVector.zero(F);
        FloatVector t3 = FloatVector.zero(F);
        FloatVector t4 = FloatVector.zero(F);
        FloatVector t5 = FloatVector.zero(F);
        FloatVector t6 = FloatVector.zero(F);
        FloatVector t7 = FloatVector.zero(F);
        IntVector z;
        long o = 0;
        for (int p = 0; p < pieces; p++, o += PIECE_BYTES) {
            FloatVector a0 = FloatVector.zero(F);
            FloatVector a1 = FloatVector.zero(F);
            FloatVector a2 = FloatVector.zero(F);
            FloatVector a3 = FloatVector.zero(F);
            FloatVector a4 = FloatVector.zero(F);
            FloatVector a5 = FloatVector.zero(F);
            FloatVector a6 = FloatVector.zero(F);
            FloatVector a7 = FloatVector.zero(F);
            long q = o + 64;
            for (int k = 0; k < 32; k++, q += 32) {
                FloatVector e = FloatVector.broadcast(F, ALL.get(FLOAT, x + 4L * k));
                a0 = ((FloatVector)
                                ByteVector.fromMemorySegment(B, ALL, o0 + q, LE).convertShape(B2F, F, 0))
                        .fma(e, a0);
                a1 = ((FloatVector) ByteVector.fromMemorySegment(B, ALL, o0 + q + 16, LE)
                                .convertShape(B2F, F, 0))
                        .fma(e, a1);
                a2 = ((FloatVector) ByteVector.fromMemorySegment(B, ALL, o1 + q + Lanes.UNIT_1, LE)
                                .convertShape(B2F, F, 0))
                        .fma(e, a2);
                a3 = ((FloatVector) ByteVector.fromMemorySegment(B, ALL, o1 + q + Lanes.UNIT_1 + 16, LE)
                                .convertShape(B2F, F, 0))
                        .fma(e, a3);
                a4 = ((FloatVector) ByteVector.fromMemorySegment(B, ALL, o2 + q + Lanes.UNIT_2, LE)
                                .convertShape(B2F, F, 0))
                        .fma(e, a4);
                a5 = ((FloatVector) ByteVector.fromMemorySegment(B, ALL, o2 + q + Lanes.UNIT_2 + 16, LE)
                                .convertShape(B2F, F, 0))
                        .fma(e, a5);
                a6 = ((FloatVector) ByteVector.fromMemorySegment(B, ALL, o3 + q + Lanes.UNIT_3, LE)
                                .convertShape(B2F, F, 0))
                        .fma(e, a6);
                a7 = ((FloatVector) ByteVector.fromMemorySegment(B, ALL, o3 + q + Lanes.UNIT_3 + 16, LE)
                                .convertShape(B2F, F, 0))
                        .fma(e, a7);
            }
            x += 128;
            FloatVector s = FloatVector.broadcast(F, ALL.get(FLOAT, factors + 20L * p));
            z = IntVector.fromMemorySegment(I, ALL, o0 + o, LE);
            t0 = a0.fma(
                    z.lanewise(LSHL, 16)
                            .lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t0);
            t1 = a1.fma(
                    z.lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t1);
            z = IntVector.fromMemorySegment(I, ALL, o1 + o + 4L * Lanes.UNIT_1, LE);
            t2 = a2.fma(
                    z.lanewise(LSHL, 16)
                            .lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t2);
            t3 = a3.fma(
                    z.lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t3);
            z = IntVector.fromMemorySegment(I, ALL, o2 + o + 4L * Lanes.UNIT_2, LE);
            t4 = a4.fma(
                    z.lanewise(LSHL, 16)
                            .lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t4);
            t5 = a5.fma(
                    z.lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t5);
            z = IntVector.fromMemorySegment(I, ALL, o3 + o + 4L * Lanes.UNIT_3, LE);
            t6 = a6.fma(
                    z.lanewise(LSHL, 16)
                            .lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t6);
            t7 = a7.fma(
                    z.lanewise(ASHR, 3)
                            .and(MASK)
                            .reinterpretAsFloats()
                            .mul(SCALE)
                            .mul(s),
                    t7);
        }
        t0.intoMemorySegment(ALL, y, LE);
        t1.intoMemorySegment(ALL, y + 64, LE);
        t2.intoMemorySegment(ALL, y + 4L * Lanes.ROW_1, LE);
        t3.intoMemorySegment(ALL, y + 4L * Lanes.ROW_1 + 64, LE);
        t4.intoMemorySegment(ALL, y + 4L * Lanes.ROW_2, LE);
        t5.intoMemorySegment(ALL, y + 4L * Lanes.ROW_2 + 64, LE);
        t6.intoMemorySegment(ALL, y + 4L * Lanes.ROW_3, LE);
        t7.intoMemorySegment(ALL, y + 4L * Lanes.ROW_3 + 64, LE);
    }
}
