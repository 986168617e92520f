package dev.troupe.kernel.vector.quantised;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.vector.lanes.HalfFloats;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix-vector tile of q5_0 weights: as {@link Q4MatVec}, with the fifth bit or-ed in from its plane, which has it four bits
 * below where it belongs. Loops of two, which the compiler unrolls whole: one of four it cuts up, at half the speed.
 */
final class Q5MatVec {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final int PIECE_BYTES = PackedFormat.Q5_0.pieceBytes();
    private static final int LOW = PackedFormat.Q5_0.lowPlane();
    private static final int HIGH = PackedFormat.Q5_0.highPlane();

    private Q5MatVec() {}

    /**
     * @param group address of the group
     * @param x rounded activations {@code [pieces][32]}, integers as f32
     * @param factors of the activations, f32 {@code [pieces][5]}
     * @param y f32 {@code [32]}: gets the chains; +0 before
     */
    static void tile(long group, int pieces, long x, long factors, long y) {
        IntVector halfMask = IntVector.broadcast(I, HalfFloats.MASK);
        FloatVector halfScale = FloatVector.broadcast(F, HalfFloats.SCALE);
        IntVector evenBits = IntVector.broadcast(I, 0xf000);
        IntVector oddBits = IntVector.broadcast(I, 0xf0000);
        IntVector even2048 = IntVector.broadcast(I, 0x45000000);
        IntVector odd128 = IntVector.broadcast(I, 0x43000000);
        IntVector evenHigh = IntVector.broadcast(I, 0x10000);
        IntVector oddHigh = IntVector.broadcast(I, 0x100000);
        for (int unit = 0; unit < 16; unit += L) {
            long to = y + 4L * unit;
            FloatVector e;
            FloatVector f;
            FloatVector r;
            IntVector z;
            IntVector t;
            long piece = group + 4L * unit;
            long k = x;
            long factor = factors;
            for (int i = 0; i < pieces; i++) {
                float odd = ALL.get(FLOAT, factor + 12) + ALL.get(FLOAT, factor + 16);
                float sum = ALL.get(FLOAT, factor + 4) + ALL.get(FLOAT, factor + 8);
                float start = -(2064f * (sum - odd) + 144f * odd);
                FloatVector a0 = FloatVector.broadcast(F, start);
                FloatVector a1 = a0;
                FloatVector c0 = FloatVector.zero(F);
                FloatVector c1 = FloatVector.zero(F);
                FloatVector p0 = FloatVector.zero(F);
                FloatVector p1 = FloatVector.zero(F);
                FloatVector q0 = FloatVector.zero(F);
                FloatVector q1 = FloatVector.zero(F);
                long codes = piece + LOW;
                for (int half = 0; half < 2; half++) {
                    for (int g = 0; g < 2; g++) {
                        IntVector v = IntVector.fromMemorySegment(I, ALL, codes, LE);
                        IntVector w = IntVector.fromMemorySegment(I, ALL, codes + 64, LE);
                        IntVector h0 = IntVector.fromMemorySegment(I, ALL, piece + HIGH, LE)
                                .lanewise(LSHR, 2 * half + g);
                        IntVector h1 = IntVector.fromMemorySegment(I, ALL, piece + HIGH + 64, LE)
                                .lanewise(LSHR, 2 * half + g);
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
                }
                FloatVector s = FloatVector.broadcast(F, ALL.get(FLOAT, factor));
                z = IntVector.fromMemorySegment(I, ALL, piece, LE);
                r = FloatVector.fromMemorySegment(F, ALL, to, LE);
                a0.add(c0)
                        .add(p0.add(q0))
                        .fma(
                                z.lanewise(LSHL, 16)
                                        .lanewise(ASHR, 3)
                                        .and(halfMask)
                                        .reinterpretAsFloats()
                                        .mul(halfScale)
                                        .mul(s),
                                r)
                        .intoMemorySegment(ALL, to, LE);
                r = FloatVector.fromMemorySegment(F, ALL, to + 64, LE);
                a1.add(c1)
                        .add(p1.add(q1))
                        .fma(
                                z.lanewise(ASHR, 3)
                                        .and(halfMask)
                                        .reinterpretAsFloats()
                                        .mul(halfScale)
                                        .mul(s),
                                r)
                        .intoMemorySegment(ALL, to + 64, LE);
                piece += PIECE_BYTES;
                factor += 20;
            }
        }
    }
}
