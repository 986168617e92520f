package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** The last step of a sum over lanes (NUMERICS rule 5): 32 accumulators to one. */
final class LaneTree {
    static final int LANES = 32;
    static final long BYTES = 4 * LANES;

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorShuffle<Float> BY_8 = by(8);
    private static final VectorShuffle<Float> BY_4 = by(4);
    private static final VectorShuffle<Float> BY_2 = by(2);
    private static final VectorShuffle<Float> BY_1 = by(1);

    private LaneTree() {}

    /** {@code a[i] += a[i + 16]}, then 8, 4, 2, 1, for the 32 floats at {@code a}; they keep their values. */
    static float sum(long a) {
        FloatVector v;
        if (L == 16) {
            v = at(a, 0).add(at(a, 1));
            v = v.add(v.rearrange(BY_8));
            v = v.add(v.rearrange(BY_4));
        } else if (L == 8) {
            v = at(a, 0).add(at(a, 2)).add(at(a, 1).add(at(a, 3)));
            v = v.add(v.rearrange(BY_4));
        } else {
            v = at(a, 0).add(at(a, 4)).add(at(a, 2).add(at(a, 6)));
            v = v.add(at(a, 1).add(at(a, 5)).add(at(a, 3).add(at(a, 7))));
        }
        v = v.add(v.rearrange(BY_2));
        return v.add(v.rearrange(BY_1)).lane(0);
    }

    private static FloatVector at(long a, int vector) {
        return FloatVector.fromMemorySegment(F, ALL, a + 4L * L * vector, LE);
    }

    /** Lane i gets lane {@code i + by}, around the end. */
    private static VectorShuffle<Float> by(int by) {
        return VectorShuffle.iota(F, by % L, 1, true);
    }
}
