package dev.troupe.kernel.vector.quantised;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.troupe.kernel.ColumnPieces;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.kernel.vector.panel.PiecePanels;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/** Matrix-vector tile of q5_k weights: {@link Q5MatVec}'s sums of 32 codes under the scales of {@link Q4KMatVec}. */
final class Q5KMatVec {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Byte> B = Lanes.B;
    private static final int PIECE_BYTES = PackedFormat.Q5_K.pieceBytes();
    private static final int RUN_BYTES = PackedFormat.Q5_K.runBytes();
    private static final int LOW = PackedFormat.Q5_K.lowPlane();
    private static final int HIGH = PackedFormat.Q5_K.highPlane();

    private Q5KMatVec() {}

    /**
     * @param group address of the group
     * @param x rounded activations {@code [pieces][32]}, integers as f32
     * @param factors of the activations, f32 {@code [pieces][5]}
     * @param y f32 {@code [32]}: gets the chains; +0 before
     * @param scratch address of 256 bytes
     */
    static void tile(long group, ColumnPieces pieces, long x, long factors, long y, long scratch) {
        IntVector evenBits = IntVector.broadcast(I, 0xf000);
        IntVector oddBits = IntVector.broadcast(I, 0xf0000);
        IntVector even2048 = IntVector.broadcast(I, 0x45000000);
        IntVector odd128 = IntVector.broadcast(I, 0x43000000);
        IntVector evenHigh = IntVector.broadcast(I, 0x10000);
        IntVector oddHigh = IntVector.broadcast(I, 0x100000);
        FloatVector e;
        IntVector z;
        IntVector t;
        long at = group;
        int runs = pieces.runs();
        for (int run = 0; run < runs; run++) {
            int count = pieces.runStart(run + 1) - pieces.runStart(run);
            PiecePanels.halves(at, scratch);
            PiecePanels.halves(at + 64, scratch + 128);
            at += RUN_BYTES;
            for (int i = 0; i < count; i++) {
                float odd = ALL.get(FLOAT, factors + 12) + ALL.get(FLOAT, factors + 16);
                float sum = ALL.get(FLOAT, factors + 4) + ALL.get(FLOAT, factors + 8);
                float start = -(2048f * (sum - odd) + 128f * odd);
                for (int row = 0; row < 32; row += L) {
                    FloatVector a = FloatVector.broadcast(F, start);
                    FloatVector b = FloatVector.zero(F);
                    FloatVector c = FloatVector.zero(F);
                    FloatVector d = FloatVector.zero(F);
                    long k = x;
                    long codes = at + LOW + 4L * row;
                    for (int half = 0; half < 2; half++) {
                        for (int g = 0; g < 2; g++) {
                            IntVector v = IntVector.fromMemorySegment(I, ALL, codes, LE);
                            IntVector h = IntVector.fromMemorySegment(I, ALL, at + HIGH + 4L * row, LE)
                                    .lanewise(LSHR, 2 * half + g);
                            z = v.lanewise(LSHL, 12);
                            t = h.lanewise(LSHL, 16);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k));
                            a = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, a);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 4));
                            b = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, b);
                            z = v.lanewise(LSHL, 4);
                            t = h.lanewise(LSHL, 8);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 8));
                            c = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, c);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 12));
                            d = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, d);
                            z = v.lanewise(LSHR, 4);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 16));
                            a = z.and(evenBits)
                                    .or(even2048)
                                    .or(h.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, a);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 20));
                            b = z.and(oddBits)
                                    .or(odd128)
                                    .or(h.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, b);
                            z = v.lanewise(LSHR, 12);
                            t = h.lanewise(LSHR, 8);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 24));
                            c = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, c);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 28));
                            d = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, d);
                            codes += 128;
                            k += 32;
                        }
                    }
                    FloatVector s = FloatVector.broadcast(F, ALL.get(FLOAT, factors));
                    FloatVector r = FloatVector.fromMemorySegment(F, ALL, y + 4L * row, LE);
                    e = (FloatVector)
                            ByteVector.fromMemorySegment(B, ALL, at + row, LE).convertShape(B2F, F, 0);
                    e = a.add(b).add(c.add(d)).mul(e);
                    r = e.fma(
                            FloatVector.fromMemorySegment(F, ALL, scratch + 4L * row, LE)
                                    .mul(s),
                            r);
                    e = (FloatVector) ByteVector.fromMemorySegment(B, ALL, at + 32 + row, LE)
                            .convertShape(B2F, F, 0);
                    e = e.mul(sum);
                    r = e.fma(
                            FloatVector.fromMemorySegment(F, ALL, scratch + 128 + 4L * row, LE)
                                    .mul(s),
                            r);
                    r.intoMemorySegment(ALL, y + 4L * row, LE);
                }
                at += PIECE_BYTES;
                x += 128;
                factors += 20;
            }
        }
    }
}
