package dev.troupe.kernel.vector.quantised;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.troupe.kernel.ColumnPieces;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.vector.lanes.HalfFloats;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-vector tile of q6_k weights: as {@link Q5MatVec} with two high bits. Each half of a piece has an integer scale; both
 * make one integer of at most 16,646,144, which is below 2^24.
 */
final class Q6KMatVec {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Byte> B = Lanes.B;
    private static final int PIECE_BYTES = PackedFormat.Q6_K.pieceBytes();
    private static final int RUN_BYTES = PackedFormat.Q6_K.runBytes();
    private static final int LOW = PackedFormat.Q6_K.lowPlane();
    private static final int HIGH = PackedFormat.Q6_K.highPlane();

    private Q6KMatVec() {}

    /**
     * @param group address of the group
     * @param x rounded activations {@code [pieces][32]}, integers as f32
     * @param factors of the activations, f32 {@code [pieces][5]}
     * @param y f32 {@code [32]}
     * @param scratch address of two vectors
     */
    static void tile(long group, ColumnPieces pieces, long x, long factors, long y, long scratch) {
        int runs = pieces.runs();
        IntVector halfMask = IntVector.broadcast(I, HalfFloats.MASK);
        FloatVector halfScale = FloatVector.broadcast(F, HalfFloats.SCALE);
        IntVector evenBits = IntVector.broadcast(I, 0xf000);
        IntVector oddBits = IntVector.broadcast(I, 0xf0000);
        IntVector even2048 = IntVector.broadcast(I, 0x45000000);
        IntVector odd128 = IntVector.broadcast(I, 0x43000000);
        IntVector evenHigh = IntVector.broadcast(I, 0x30000);
        IntVector oddHigh = IntVector.broadcast(I, 0x300000);
        for (int unit = 0; unit < 16; unit += L) {
            long to = y + 4L * unit;
            FloatVector.zero(F).intoMemorySegment(ALL, to, LE);
            FloatVector.zero(F).intoMemorySegment(ALL, to + 64, LE);
            FloatVector e;
            FloatVector f;
            IntVector z;
            IntVector t;
            long at = group;
            long k = x;
            long factor = factors;
            for (int run = 0; run < runs; run++) {
                int count = pieces.runStart(run + 1) - pieces.runStart(run);
                z = IntVector.fromMemorySegment(I, ALL, at + 4L * unit, LE);
                FloatVector d0 = z.lanewise(LSHL, 16)
                        .lanewise(ASHR, 3)
                        .and(halfMask)
                        .reinterpretAsFloats()
                        .mul(halfScale);
                FloatVector d1 =
                        z.lanewise(ASHR, 3).and(halfMask).reinterpretAsFloats().mul(halfScale);
                at += RUN_BYTES;
                for (int i = 0; i < count; i++) {
                    FloatVector.zero(F).intoMemorySegment(ALL, scratch, LE);
                    FloatVector.zero(F).intoMemorySegment(ALL, scratch + 64, LE);
                    long codes = at + LOW + 4L * unit;
                    for (int half = 0; half < 2; half++) {
                        float odd = ALL.get(FLOAT, factor + 12 + 4L * half);
                        float even = ALL.get(FLOAT, factor + 4 + 4L * half) - odd;
                        float start = -(2080f * even + 160f * odd);
                        FloatVector a0 = FloatVector.broadcast(F, start);
                        FloatVector a1 = a0;
                        FloatVector c0 = FloatVector.zero(F);
                        FloatVector c1 = FloatVector.zero(F);
                        FloatVector p0 = FloatVector.zero(F);
                        FloatVector p1 = FloatVector.zero(F);
                        FloatVector q0 = FloatVector.zero(F);
                        FloatVector q1 = FloatVector.zero(F);
                        long high = at + HIGH + 128L * half + 4L * unit;
                        for (int g = 0; g < 2; g++) {
                            IntVector v = IntVector.fromMemorySegment(I, ALL, codes, LE);
                            IntVector w = IntVector.fromMemorySegment(I, ALL, codes + 64, LE);
                            IntVector h0 = IntVector.fromMemorySegment(I, ALL, high, LE)
                                    .lanewise(LSHR, 2 * g);
                            IntVector h1 = IntVector.fromMemorySegment(I, ALL, high + 64, LE)
                                    .lanewise(LSHR, 2 * g);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k));
                            f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 4));
                            z = v.lanewise(LSHL, 12);
                            t = h0.lanewise(LSHL, 16);
                            a0 = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, a0);
                            c0 = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, c0);
                            z = w.lanewise(LSHL, 12);
                            t = h1.lanewise(LSHL, 16);
                            a1 = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, a1);
                            c1 = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, c1);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 8));
                            f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 12));
                            z = v.lanewise(LSHL, 4);
                            t = h0.lanewise(LSHL, 8);
                            p0 = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, p0);
                            q0 = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, q0);
                            z = w.lanewise(LSHL, 4);
                            t = h1.lanewise(LSHL, 8);
                            p1 = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, p1);
                            q1 = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, q1);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 16));
                            f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 20));
                            z = v.lanewise(LSHR, 4);
                            a0 = z.and(evenBits)
                                    .or(even2048)
                                    .or(h0.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, a0);
                            c0 = z.and(oddBits)
                                    .or(odd128)
                                    .or(h0.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, c0);
                            z = w.lanewise(LSHR, 4);
                            a1 = z.and(evenBits)
                                    .or(even2048)
                                    .or(h1.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, a1);
                            c1 = z.and(oddBits)
                                    .or(odd128)
                                    .or(h1.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, c1);
                            e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 24));
                            f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 28));
                            z = v.lanewise(LSHR, 12);
                            t = h0.lanewise(LSHR, 8);
                            p0 = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, p0);
                            q0 = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, q0);
                            z = w.lanewise(LSHR, 12);
                            t = h1.lanewise(LSHR, 8);
                            p1 = z.and(evenBits)
                                    .or(even2048)
                                    .or(t.and(evenHigh))
                                    .reinterpretAsFloats()
                                    .fma(e, p1);
                            q1 = z.and(oddBits)
                                    .or(odd128)
                                    .or(t.and(oddHigh))
                                    .reinterpretAsFloats()
                                    .fma(f, q1);
                            codes += 128;
                            k += 32;
                        }
                        e = (FloatVector) ByteVector.fromMemorySegment(B, ALL, at + 32L * half + unit, LE)
                                .convertShape(B2F, F, 0);
                        f = FloatVector.fromMemorySegment(F, ALL, scratch, LE);
                        a0.add(c0).add(p0.add(q0)).fma(e, f).intoMemorySegment(ALL, scratch, LE);
                        e = (FloatVector) ByteVector.fromMemorySegment(B, ALL, at + 32L * half + 16 + unit, LE)
                                .convertShape(B2F, F, 0);
                        f = FloatVector.fromMemorySegment(F, ALL, scratch + 64, LE);
                        a1.add(c1).add(p1.add(q1)).fma(e, f).intoMemorySegment(ALL, scratch + 64, LE);
                    }
                    FloatVector s = FloatVector.broadcast(F, ALL.get(FLOAT, factor));
                    e = FloatVector.fromMemorySegment(F, ALL, scratch, LE);
                    e.fma(d0.mul(s), FloatVector.fromMemorySegment(F, ALL, to, LE))
                            .intoMemorySegment(ALL, to, LE);
                    e = FloatVector.fromMemorySegment(F, ALL, scratch + 64, LE);
                    e.fma(d1.mul(s), FloatVector.fromMemorySegment(F, ALL, to + 64, LE))
                            .intoMemorySegment(ALL, to + 64, LE);
                    at += PIECE_BYTES;
                    factor += 20;
                }
            }
        }
    }
}
