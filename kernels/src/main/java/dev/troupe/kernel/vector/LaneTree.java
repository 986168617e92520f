package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;

/** The last step of a sum over lanes (NUMERICS rule 5): 32 accumulators to one. */
final class LaneTree {
    static final int LANES = 32;
    static final long BYTES = 4 * LANES;

    private LaneTree() {}

    /** {@code a[i] += a[i + 16]}, then 8, 4, 2, 1; overwrites the 32 floats at {@code a}. */
    static float sum(long a) {
        for (int half = LANES / 2; half >= 1; half /= 2) {
            for (int i = 0; i < half; i++) {
                float left = ALL.get(FLOAT, a + 4L * i);
                ALL.set(FLOAT, a + 4L * i, left + ALL.get(FLOAT, a + 4L * (i + half)));
            }
        }
        return ALL.get(FLOAT, a);
    }
}
