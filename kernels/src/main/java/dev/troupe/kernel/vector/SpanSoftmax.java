package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** The softmax of attention for one head: weights of one span, and the merging of spans (NUMERICS rule 6). */
final class SpanSoftmax {
    private static final VectorSpecies<Float> F = Lanes.F;

    private SpanSoftmax() {}

    /**
     * The largest score of the visible tokens {@code [from, to)}; the others of the lanes in use become minus infinity.
     *
     * @param z 128 scores, of which {@code [low, high)} are in use
     */
    static float maximum(long z, int low, int from, int to, int high) {
        for (int j = low; j < from; j++) {
            ALL.set(FLOAT, z + 4L * j, Float.NEGATIVE_INFINITY);
        }
        for (int j = to; j < high; j++) {
            ALL.set(FLOAT, z + 4L * j, Float.NEGATIVE_INFINITY);
        }
        return Softmax.maximum(z + 4L * low, high - low);
    }

    /**
     * Scores to weights in place: {@code exp(z − maximum)}, +0 for tokens that are not visible. Returns their sum.
     *
     * @param lanes scratch for 32 floats
     */
    static float weights(long z, int low, int high, float maximum, long lanes) {
        long lane = z + 4L * low;
        Softmax.exponentials(lane, high - low, maximum, lane);
        return Softmax.sum(lane, high - low, lanes);
    }

    /** {@code o = o · a + added · b} for {@code width} floats, a multiple of 16. */
    static void merge(long o, float a, long added, float b, int width) {
        FloatVector scale = FloatVector.broadcast(F, a);
        for (int e = 0; e < width; e += L) {
            FloatVector more =
                    FloatVector.fromMemorySegment(F, ALL, added + 4L * e, LE).mul(b);
            FloatVector.fromMemorySegment(F, ALL, o + 4L * e, LE)
                    .fma(scale, more)
                    .intoMemorySegment(ALL, o + 4L * e, LE);
        }
    }

    /** {@code y = o / l} for n floats. */
    static void divide(long o, float l, int n, long y) {
        int e = 0;
        for (; e + L <= n; e += L) {
            FloatVector.fromMemorySegment(F, ALL, o + 4L * e, LE).div(l).intoMemorySegment(ALL, y + 4L * e, LE);
        }
        for (; e < n; e++) {
            ALL.set(FLOAT, y + 4L * e, ALL.get(FLOAT, o + 4L * e) / l);
        }
    }
}
