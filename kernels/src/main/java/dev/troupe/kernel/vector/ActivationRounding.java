package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.MAX;

import dev.troupe.kernel.ExactMath;
import dev.troupe.kernel.NumericsId;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Rounding of activations per block of 32 columns for block-quantised weights (NUMERICS rule 2). */
final class ActivationRounding {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int BLOCK = NumericsId.BLOCK;

    private ActivationRounding() {}

    /**
     * Rounds one chunk of one token.
     *
     * @param x f32 {@code [columns]}
     * @param values gets integers as f32 {@code [columns]}
     * @param scales gets f32 {@code [⌈columns / 32⌉]}
     */
    static void round(long x, int columns, long values, long scales) {
        for (int k = 0; k < columns; k += BLOCK) {
            long at = x + 4L * k;
            long to = values + 4L * k;
            if (k + BLOCK > columns) {
                ALL.set(FLOAT, scales + k / BLOCK * 4L, roundPart(at, columns - k, to));
                continue;
            }
            FloatVector most = FloatVector.fromMemorySegment(F, ALL, at, LE).abs();
            for (int i = L; i < BLOCK; i += L) {
                most = most.max(
                        FloatVector.fromMemorySegment(F, ALL, at + 4L * i, LE).abs());
            }
            float s = most.reduceLanes(MAX) / 127f;
            ALL.set(FLOAT, scales + k / BLOCK * 4L, s);
            // Where s is 0, all of them are so small that they round to 0; a vector chosen by a condition may be boxed.
            float divisor = s == 0f ? 1f : s;
            for (int i = 0; i < BLOCK; i += L) {
                FloatVector.fromMemorySegment(F, ALL, at + 4L * i, LE)
                        .div(divisor)
                        .add(ExactMath.ROUNDER)
                        .sub(ExactMath.ROUNDER)
                        .max(-127f)
                        .min(127f)
                        .intoMemorySegment(ALL, to + 4L * i, LE);
            }
        }
    }

    /** A block that the chunk's end cuts; its scale. */
    private static float roundPart(long x, int columns, long values) {
        float most = 0f;
        for (int i = 0; i < columns; i++) {
            most = Math.max(most, Math.abs(ALL.get(FLOAT, x + 4L * i)));
        }
        float s = most / 127f;
        for (int i = 0; i < columns; i++) {
            float q = s == 0f ? 0f : (ALL.get(FLOAT, x + 4L * i) / s + ExactMath.ROUNDER) - ExactMath.ROUNDER;
            ALL.set(FLOAT, values + 4L * i, Math.min(127f, Math.max(-127f, q)));
        }
        return s;
    }
}
