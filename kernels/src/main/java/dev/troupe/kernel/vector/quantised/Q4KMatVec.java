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

/**
 * Matrix-vector tile of q4_k weights: {@link Q4MatVec}'s sums of 32 codes, times their integer scale, run by run: the pieces
 * of a run share d and b. Each piece adds its weights, then its offset, to the row's chain.
 */
final class Q4KMatVec {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Byte> B = Lanes.B;
    private static final int PIECE_BYTES = PackedFormat.Q4_K.pieceBytes();
    private static final int RUN_BYTES = PackedFormat.Q4_K.runBytes();
    private static final int LOW = PackedFormat.Q4_K.lowPlane();

    private Q4KMatVec() {}

    /**
     * @param group address of the group
     * @param x rounded activations {@code [pieces][32]}, integers as f32
     * @param factors of the activations, f32 {@code [pieces][5]}
     * @param y f32 {@code [32]}: gets the chains; +0 before
     * @param scratch address of 256 bytes
     */
    static void tile(long group, ColumnPieces pieces, long x, long factors, long y, long scratch) {
        int runs = pieces.runs();
        IntVector evenBits = IntVector.broadcast(I, 0xf000);
        IntVector oddBits = IntVector.broadcast(I, 0xf0000);
        IntVector even2048 = IntVector.broadcast(I, 0x45000000);
        IntVector odd128 = IntVector.broadcast(I, 0x43000000);
        for (int unit = 0; unit < 16; unit += L) {
            long to = y + 4L * unit;
            FloatVector e;
            FloatVector f;
            FloatVector r;
            IntVector z;
            long at = group;
            long k = x;
            long factor = factors;
            for (int run = 0; run < runs; run++) {
                int count = pieces.runStart(run + 1) - pieces.runStart(run);
                PiecePanels.halves(at, scratch);
                PiecePanels.halves(at + 64, scratch + 128);
                at += RUN_BYTES;
                for (int i = 0; i < count; i++) {
                    float odd = ALL.get(FLOAT, factor + 12) + ALL.get(FLOAT, factor + 16);
                    float sum = ALL.get(FLOAT, factor + 4) + ALL.get(FLOAT, factor + 8);
                    float start = -(2048f * (sum - odd) + 128f * odd);
                    FloatVector a0 = FloatVector.broadcast(F, start);
                    FloatVector a1 = a0;
                    FloatVector c0 = FloatVector.zero(F);
                    FloatVector c1 = FloatVector.zero(F);
                    FloatVector p0 = FloatVector.zero(F);
                    FloatVector p1 = FloatVector.zero(F);
                    FloatVector q0 = FloatVector.zero(F);
                    FloatVector q1 = FloatVector.zero(F);
                    long codes = at + LOW + 4L * unit;
                    for (int g = 0; g < 4; g++) {
                        IntVector v = IntVector.fromMemorySegment(I, ALL, codes, LE);
                        IntVector w = IntVector.fromMemorySegment(I, ALL, codes + 64, LE);
                        e = FloatVector.broadcast(F, ALL.get(FLOAT, k));
                        f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 4));
                        z = v.lanewise(LSHL, 12);
                        a0 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, a0);
                        c0 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, c0);
                        z = w.lanewise(LSHL, 12);
                        a1 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, a1);
                        c1 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, c1);
                        e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 8));
                        f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 12));
                        z = v.lanewise(LSHL, 4);
                        p0 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, p0);
                        q0 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, q0);
                        z = w.lanewise(LSHL, 4);
                        p1 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, p1);
                        q1 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, q1);
                        e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 16));
                        f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 20));
                        z = v.lanewise(LSHR, 4);
                        a0 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, a0);
                        c0 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, c0);
                        z = w.lanewise(LSHR, 4);
                        a1 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, a1);
                        c1 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, c1);
                        e = FloatVector.broadcast(F, ALL.get(FLOAT, k + 24));
                        f = FloatVector.broadcast(F, ALL.get(FLOAT, k + 28));
                        z = v.lanewise(LSHR, 12);
                        p0 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, p0);
                        q0 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, q0);
                        z = w.lanewise(LSHR, 12);
                        p1 = z.and(evenBits).or(even2048).reinterpretAsFloats().fma(e, p1);
                        q1 = z.and(oddBits).or(odd128).reinterpretAsFloats().fma(f, q1);
                        codes += 128;
                        k += 32;
                    }
                    FloatVector s = FloatVector.broadcast(F, ALL.get(FLOAT, factor));
                    f = FloatVector.broadcast(F, sum);
                    e = (FloatVector)
                            ByteVector.fromMemorySegment(B, ALL, at + unit, LE).convertShape(B2F, F, 0);
                    r = a0.add(c0)
                            .add(p0.add(q0))
                            .mul(e)
                            .fma(
                                    FloatVector.fromMemorySegment(F, ALL, scratch + 4L * unit, LE)
                                            .mul(s),
                                    FloatVector.fromMemorySegment(F, ALL, to, LE));
                    e = (FloatVector) ByteVector.fromMemorySegment(B, ALL, at + 32 + unit, LE)
                            .convertShape(B2F, F, 0);
                    e.mul(f)
                            .fma(
                                    FloatVector.fromMemorySegment(F, ALL, scratch + 128 + 4L * unit, LE)
                                            .mul(s),
                                    r)
                            .intoMemorySegment(ALL, to, LE);
                    e = (FloatVector) ByteVector.fromMemorySegment(B, ALL, at + 16 + unit, LE)
                            .convertShape(B2F, F, 0);
                    r = a1.add(c1)
                            .add(p1.add(q1))
                            .mul(e)
                            .fma(
                                    FloatVector.fromMemorySegment(F, ALL, scratch + 64 + 4L * unit, LE)
                                            .mul(s),
                                    FloatVector.fromMemorySegment(F, ALL, to + 64, LE));
                    e = (FloatVector) ByteVector.fromMemorySegment(B, ALL, at + 48 + unit, LE)
                            .convertShape(B2F, F, 0);
                    e.mul(f)
                            .fma(
                                    FloatVector.fromMemorySegment(F, ALL, scratch + 192 + 4L * unit, LE)
                                            .mul(s),
                                    r)
                            .intoMemorySegment(ALL, to + 64, LE);
                    at += PIECE_BYTES;
                    factor += 20;
                }
            }
        }
    }
}
