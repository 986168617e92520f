package dev.troupe.kernel.vector.panel;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The planes of codes of one piece ({@code PackedFormat}) as integer weights times their integer scales, f32
 * {@code [32 columns][32 rows]}: {@code fma(code, scale, −zero · scale)}, which is exact.
 */
final class CodePlanes {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;

    private static final int SIGN = 0x80000000;
    private static final IntVector SIZES = sizes();

    private CodePlanes() {}

    /**
     * Codes of one plane.
     *
     * @param bits of the plane, 2 or 4
     * @param scales integer scales as f32 {@code [2][32 rows]}, of columns 0 to 15 and 16 to 31
     */
    static void one(long low, int bits, long scales, int zero, long panel) {
        int mask = (1 << bits) - 1;
        for (int g = 0; g < 4; g++) {
            long word = low + 128L * (g * bits / 4);
            int shift = bits * (g % (4 / bits));
            for (int row = 0; row < 32; row += L) {
                FloatVector s = FloatVector.fromMemorySegment(F, ALL, scales + (g / 2) * 128L + 4L * row, LE);
                FloatVector o = s.mul(-zero);
                IntVector v =
                        IntVector.fromMemorySegment(I, ALL, word + 4L * row, LE).lanewise(LSHR, shift);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    ((FloatVector) v.and(mask).convertShape(I2F, F, 0))
                            .fma(s, o)
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    to += 128;
                }
            }
        }
    }

    /** Codes of two planes, of {@code bits} low and {@code highBits} high ones; otherwise as {@link #one}. */
    static void two(long low, int bits, long high, int highBits, long scales, int zero, long panel) {
        int mask = (1 << bits) - 1;
        int highMask = ((1 << highBits) - 1) << bits;
        for (int g = 0; g < 4; g++) {
            long word = low + 128L * (g * bits / 4);
            int shift = bits * (g % (4 / bits));
            long highWord = high + 128L * (g * highBits / 4);
            int highShift = highBits * (g % (4 / highBits));
            for (int row = 0; row < 32; row += L) {
                FloatVector s = FloatVector.fromMemorySegment(F, ALL, scales + (g / 2) * 128L + 4L * row, LE);
                FloatVector o = s.mul(-zero);
                IntVector v =
                        IntVector.fromMemorySegment(I, ALL, word + 4L * row, LE).lanewise(LSHR, shift);
                IntVector h = IntVector.fromMemorySegment(I, ALL, highWord + 4L * row, LE)
                        .lanewise(LSHR, highShift);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    ((FloatVector) v.and(mask)
                                    .or(h.lanewise(LSHL, bits).and(highMask))
                                    .convertShape(I2F, F, 0))
                            .fma(s, o)
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    h = h.lanewise(LSHR, 4);
                    to += 128;
                }
            }
        }
    }

    /** mxfp4: the lower three bits of a code are an index into the sizes 0, 1, 2, 3, 4, 6, 8, 12; the fourth is the sign. */
    static void float4(long low, long panel) {
        if (L == 4) {
            float4Computed(low, panel);
            return;
        }
        for (int g = 0; g < 4; g++) {
            for (int row = 0; row < 32; row += L) {
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    v.and(7)
                            .selectFrom(SIZES)
                            .or(v.lanewise(LSHL, 28).and(SIGN))
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    to += 128;
                }
            }
        }
    }

    /** A vector too short for the table computes the size as max(c, 2c − 4, 4c − 16). */
    private static void float4Computed(long low, long panel) {
        for (int g = 0; g < 4; g++) {
            for (int row = 0; row < 32; row += L) {
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    FloatVector c = (FloatVector) v.and(7).convertShape(I2F, F, 0);
                    c.max(c.mul(2f).sub(4f))
                            .max(c.mul(4f).sub(16f))
                            .reinterpretAsInts()
                            .or(v.lanewise(LSHL, 28).and(SIGN))
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    to += 128;
                }
            }
        }
    }

    private static IntVector sizes() {
        float[] sizes = {0, 1, 2, 3, 4, 6, 8, 12, 0, 1, 2, 3, 4, 6, 8, 12};
        return FloatVector.fromArray(F, sizes, 0).reinterpretAsInts();
    }
}
