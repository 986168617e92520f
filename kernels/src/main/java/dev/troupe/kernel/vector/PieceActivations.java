package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.ColumnPieces;
import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Rounded activations laid out as packed weights are: 32 for every piece, at their columns' places in the weight block and
 * zero elsewhere, so that kernels know no lengths. Each piece has five factors: its scale s, the sums of the integers at
 * columns 0 to 15 and at 16 to 31, and those at the odd ones of both. The sums are of integers far below 2^24, so their order is free.
 */
final class PieceActivations {
    /** Factors of a piece. */
    static final int FACTORS = 5;

    private static final VectorSpecies<Float> F = Lanes.F;

    private PieceActivations() {}

    /**
     * Lays out one chunk of one token.
     *
     * @param rounded integers as f32 {@code [columns]}
     * @param scales f32 {@code [⌈columns / 32⌉]}
     * @param values gets f32 {@code [pieces][32]}
     * @param factors gets f32 {@code [pieces][5]}
     */
    static void spread(ColumnPieces pieces, long rounded, long scales, long values, long factors) {
        int count = pieces.count();
        for (int p = 0; p < count; p++) {
            int length = pieces.length(p);
            long from = rounded + 4L * pieces.start(p);
            long to = values + 128L * p;
            if (length == 32) {
                for (int i = 0; i < 32; i += L) {
                    FloatVector.fromMemorySegment(F, ALL, from + 4L * i, LE).intoMemorySegment(ALL, to + 4L * i, LE);
                }
            } else {
                int position = pieces.position(p);
                for (int i = 0; i < 32; i++) {
                    boolean inside = i >= position && i < position + length;
                    ALL.set(FLOAT, to + 4L * i, inside ? ALL.get(FLOAT, from + 4L * (i - position)) : 0f);
                }
            }
            ALL.set(FLOAT, factors + 20L * p, ALL.get(FLOAT, scales + 4L * pieces.activationBlock(p)));
            sums(to, factors + 20L * p);
        }
    }

    private static void sums(long values, long factors) {
        float evenLow = 0f;
        float oddLow = 0f;
        float evenHigh = 0f;
        float oddHigh = 0f;
        for (int i = 0; i < 64; i += 8) {
            evenLow += ALL.get(FLOAT, values + i);
            oddLow += ALL.get(FLOAT, values + i + 4);
            evenHigh += ALL.get(FLOAT, values + i + 64);
            oddHigh += ALL.get(FLOAT, values + i + 68);
        }
        ALL.set(FLOAT, factors + 4, evenLow + oddLow);
        ALL.set(FLOAT, factors + 8, evenHigh + oddHigh);
        ALL.set(FLOAT, factors + 12, oddLow);
        ALL.set(FLOAT, factors + 16, oddHigh);
    }
}
