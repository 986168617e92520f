package dev.troupe.kernel.vector.quantised;

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
 * {@code [32 columns][32 rows]}: {@code fma(code, scale, −zero · scale)}, which is exact. One method a layout, written out.
 */
final class CodePlanes {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;

    private CodePlanes() {}

    /** @param scales integer scales as f32 {@code [2][32 rows]}, of columns 0 to 15 and 16 to 31 */
    static void four(long low, long scales, int zero, long panel) {
        for (int g = 0; g < 4; g++) {
            for (int row = 0; row < 32; row += L) {
                FloatVector s = FloatVector.fromMemorySegment(F, ALL, scales + (g / 2) * 128L + 4L * row, LE);
                FloatVector o = s.mul(-zero);
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    ((FloatVector) v.and(15).convertShape(I2F, F, 0)).fma(s, o).intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    to += 128;
                }
            }
        }
    }

    static void five(long low, long high, long scales, int zero, long panel) {
        for (int g = 0; g < 4; g++) {
            for (int row = 0; row < 32; row += L) {
                FloatVector s = FloatVector.fromMemorySegment(F, ALL, scales + (g / 2) * 128L + 4L * row, LE);
                FloatVector o = s.mul(-zero);
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                IntVector h = IntVector.fromMemorySegment(I, ALL, high + 4L * row, LE)
                        .lanewise(LSHR, 8 * g)
                        .lanewise(LSHL, 4);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    ((FloatVector) v.and(15).or(h.and(16)).convertShape(I2F, F, 0))
                            .fma(s, o)
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    h = h.lanewise(LSHR, 1);
                    to += 128;
                }
            }
        }
    }

    static void six(long low, long high, long scales, int zero, long panel) {
        for (int g = 0; g < 4; g++) {
            for (int row = 0; row < 32; row += L) {
                FloatVector s = FloatVector.fromMemorySegment(F, ALL, scales + (g / 2) * 128L + 4L * row, LE);
                FloatVector o = s.mul(-zero);
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                IntVector h = IntVector.fromMemorySegment(I, ALL, high + (g / 2) * 128L + 4L * row, LE)
                        .lanewise(LSHR, 16 * (g % 2))
                        .lanewise(LSHL, 4);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    ((FloatVector) v.and(15).or(h.and(48)).convertShape(I2F, F, 0))
                            .fma(s, o)
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    h = h.lanewise(LSHR, 2);
                    to += 128;
                }
            }
        }
    }

    static void two(long low, long scales, long panel) {
        for (int g = 0; g < 2; g++) {
            for (int row = 0; row < 32; row += L) {
                FloatVector s = FloatVector.fromMemorySegment(F, ALL, scales + 128L * g + 4L * row, LE);
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                long to = panel + 2048L * g + 4L * row;
                for (int j = 0; j < 16; j++) {
                    ((FloatVector) v.and(3).convertShape(I2F, F, 0)).mul(s).intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 2);
                    to += 128;
                }
            }
        }
    }

    static void three(long low, long high, long scales, int zero, long panel) {
        for (int g = 0; g < 2; g++) {
            for (int row = 0; row < 32; row += L) {
                FloatVector s = FloatVector.fromMemorySegment(F, ALL, scales + 128L * g + 4L * row, LE);
                FloatVector o = s.mul(-zero);
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                IntVector h = IntVector.fromMemorySegment(I, ALL, high + 4L * row, LE)
                        .lanewise(LSHR, 16 * g)
                        .lanewise(LSHL, 2);
                long to = panel + 2048L * g + 4L * row;
                for (int j = 0; j < 16; j++) {
                    ((FloatVector) v.and(3).or(h.and(4)).convertShape(I2F, F, 0))
                            .fma(s, o)
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 2);
                    h = h.lanewise(LSHR, 1);
                    to += 128;
                }
            }
        }
    }

    /**
     * mxfp4: the code's lower three bits c are the size max(c, 2c − 4, 4c − 16), that is 0, 1, 2, 3, 4, 6, 8, 12; the fourth is
     * the sign.
     */
    static void float4(long low, long panel) {
        FloatVector two = FloatVector.broadcast(F, 2f);
        FloatVector four = FloatVector.broadcast(F, 4f);
        for (int g = 0; g < 4; g++) {
            for (int row = 0; row < 32; row += L) {
                IntVector v = IntVector.fromMemorySegment(I, ALL, low + 128L * g + 4L * row, LE);
                long to = panel + 1024L * g + 4L * row;
                for (int j = 0; j < 8; j++) {
                    FloatVector c = (FloatVector) v.and(7).convertShape(I2F, F, 0);
                    FloatVector size = c.max(c.mul(two).sub(4f)).max(c.mul(four).sub(16f));
                    size.reinterpretAsInts()
                            .or(v.lanewise(LSHL, 28).and(0x80000000))
                            .intoMemorySegment(ALL, to, LE);
                    v = v.lanewise(LSHR, 4);
                    to += 128;
                }
            }
        }
    }
}
