package dev.troupe.kernel.reference;

/**
 * Sums over lanes in a fixed order (NUMERICS rule 5): 32 strided accumulators, element i goes to accumulator i mod 32,
 * then a tree of halves.
 */
final class LaneSum {
    static final int LANES = 32;

    private LaneSum() {}

    /** Combines the accumulators: {@code a[i] += a[i + 16]}, then 8, 4, 2, 1. Overwrites {@code a}. */
    static float tree(float[] a) {
        for (int half = LANES / 2; half >= 1; half /= 2) {
            for (int i = 0; i < half; i++) {
                a[i] += a[i + half];
            }
        }
        return a[0];
    }
}
