package dev.troupe.kernel.vector.panel;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.vector.lanes.HalfFloats;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Unpacking of pieces of one group of 32 rows, of any type, to what the panel kernels multiply with. Integer scales are
 * folded into the integer weights: at most 128 · 32 each, and all sums stay below 2^24 (NUMERICS rule 2).
 */
public final class PiecePanels {
    /** Bytes of a piece's integers as f32 {@code [32 columns][32 rows]}. */
    public static final int PANEL_BYTES = 4096;

    /**
     * Bytes of a piece's factors, f32 {@code [6][32 rows]}: d; b; the integer scales of b for columns 0 to 15, then 16 to 31; and
     * those of d likewise, which only unpacking needs. Without an offset the second to fourth are 0.
     */
    public static final int FACTOR_BYTES = 6 * 128;

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Byte> B = Lanes.B;
    private static final int HIGH = 0xffff0000;
    private static final int MASK = HalfFloats.MASK;
    private static final float SCALE = HalfFloats.SCALE;

    private PiecePanels() {}

    /**
     * Unpacks pieces {@code [from, to)} of a group.
     *
     * @param panel gets f32 {@code [to − from][32][32]}
     * @param factors gets f32 {@code [to − from][6][32]}
     */
    public static void unpack(PackedMatrix w, int group, int from, int to, long panel, long factors) {
        PackedFormat format = PackedFormat.of(w.type());
        for (int p = from; p < to; p++) {
            long piece = w.address() + w.pieceOffset(group, p);
            long toPanel = panel + (long) PANEL_BYTES * (p - from);
            long toFactors = factors + (long) FACTOR_BYTES * (p - from);
            factors(format, w.address() + w.scaleOffset(group, p), piece + format.integers(), toFactors);
            codes(format, piece + format.lowPlane(), piece + format.highPlane(), toFactors + 512, toPanel);
        }
    }

    private static void factors(PackedFormat format, long scales, long integers, long to) {
        if (format == PackedFormat.MXFP4) {
            brains(scales, to);
        } else {
            halves(scales, to);
        }
        integers(integers, format.integerScales(), 1f, to + 512);
        if (format.offset()) {
            halves(scales + 64, to + 128);
            integers(integers + 32L * format.integerScales(), format.integerMins(), 1f, to + 256);
        } else {
            fill(0f, to + 128);
            integers(integers, 0, 0f, to + 256);
        }
    }

    /** The integer scales of both halves of the columns: two, one for both, or {@code none}. */
    private static void integers(long from, int count, float none, long to) {
        if (count == 0) {
            fill(none, to);
            fill(none, to + 128);
        } else {
            bytes(from, 32, to);
            bytes(count == 2 ? from + 32 : from, 32, to + 128);
        }
    }

    private static void codes(PackedFormat format, long low, long high, long scales, long panel) {
        switch (format) {
            case Q8_0, IQ4_NL -> bytes(low, 1024, panel);
            case Q4_0, Q4_1, Q4_K, Q2_K -> CodePlanes.one(low, format.lowBits(), scales, format.zero(), panel);
            case Q5_0, Q5_1, Q5_K, Q6_K, Q3_K ->
                CodePlanes.two(low, format.lowBits(), high, format.highBits(), scales, format.zero(), panel);
            case MXFP4 -> CodePlanes.float4(low, panel);
        }
    }

    /** 32 f16, two in an int, to f32. */
    public static void halves(long from, long to) {
        for (int unit = 0; unit < 16; unit += L) {
            IntVector v = IntVector.fromMemorySegment(I, ALL, from + 4L * unit, LE);
            v.lanewise(LSHL, 16)
                    .lanewise(ASHR, 3)
                    .and(MASK)
                    .reinterpretAsFloats()
                    .mul(SCALE)
                    .intoMemorySegment(ALL, to + 4L * unit, LE);
            v.lanewise(ASHR, 3)
                    .and(MASK)
                    .reinterpretAsFloats()
                    .mul(SCALE)
                    .intoMemorySegment(ALL, to + 4L * unit + 64, LE);
        }
    }

    /** 32 bf16, two in an int, to f32. */
    private static void brains(long from, long to) {
        for (int unit = 0; unit < 16; unit += L) {
            IntVector v = IntVector.fromMemorySegment(I, ALL, from + 4L * unit, LE);
            v.lanewise(LSHL, 16).reinterpretAsFloats().intoMemorySegment(ALL, to + 4L * unit, LE);
            v.and(HIGH).reinterpretAsFloats().intoMemorySegment(ALL, to + 4L * unit + 64, LE);
        }
    }

    private static void bytes(long from, int count, long to) {
        for (int i = 0; i < count; i += L) {
            ((FloatVector) ByteVector.fromMemorySegment(B, ALL, from + i, LE).convertShape(B2F, F, 0))
                    .intoMemorySegment(ALL, to + 4L * i, LE);
        }
    }

    private static void fill(float value, long to) {
        for (int i = 0; i < 32; i += L) {
            FloatVector.broadcast(F, value).intoMemorySegment(ALL, to + 4L * i, LE);
        }
    }
}
