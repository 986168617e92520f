package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.IS_NAN;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.MAX;

import dev.troupe.kernel.ExactMath;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Softmax of rows, and its parts that attention uses on a span. */
final class Softmax implements AutoCloseable {
    private static final VectorSpecies<Float> F = Lanes.F;

    private final WorkerPool pool;
    private final Scratch scratch = new Scratch();
    private final long lanes;
    private final WorkerPool.Work row = this::row;
    private long x;
    private long y;
    private int n;

    Softmax(WorkerPool pool) {
        this.pool = pool;
        this.lanes = scratch.atLeast(LaneTree.BYTES * pool.threads());
    }

    /** As {@code Kernels.softmax}. */
    void rows(Tensor x, int tokens, Tensor y) {
        KernelShapes.requireRows("softmax", x, null, tokens, y);
        this.x = x.address();
        this.y = y.address();
        this.n = x.columns();
        pool.run(tokens, row);
    }

    private void row(int token, int worker) {
        long from = x + 4L * token * n;
        long to = y + 4L * token * n;
        exponentials(from, n, maximum(from, n), to);
        float sum = sum(to, n, lanes + LaneTree.BYTES * worker);
        int i = 0;
        for (; i + L <= n; i += L) {
            FloatVector.fromMemorySegment(F, ALL, to + 4L * i, LE).div(sum).intoMemorySegment(ALL, to + 4L * i, LE);
        }
        for (; i < n; i++) {
            ALL.set(FLOAT, to + 4L * i, ALL.get(FLOAT, to + 4L * i) / sum);
        }
    }

    /** The largest of n floats. */
    static float maximum(long x, int n) {
        FloatVector most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i + L <= n; i += L) {
            most = most.max(FloatVector.fromMemorySegment(F, ALL, x + 4L * i, LE));
        }
        float maximum = most.reduceLanes(MAX);
        for (; i < n; i++) {
            maximum = Math.max(maximum, ALL.get(FLOAT, x + 4L * i));
        }
        return maximum;
    }

    /** {@code y = exp(x − maximum)} as {@link ExactMath#exp}; no x may be above the maximum. */
    static void exponentials(long from, int n, float maximum, long to) {
        int i = 0;
        for (; i + L <= n; i += L) {
            FloatVector x =
                    FloatVector.fromMemorySegment(F, ALL, from + 4L * i, LE).sub(maximum);
            FloatVector t =
                    x.fma(FloatVector.broadcast(F, ExactMath.LOG2_E), FloatVector.broadcast(F, ExactMath.ROUNDER));
            FloatVector m = t.sub(ExactMath.ROUNDER);
            FloatVector r = m.fma(FloatVector.broadcast(F, -ExactMath.LN2_HIGH), x);
            r = m.fma(FloatVector.broadcast(F, -ExactMath.LN2_LOW), r);
            FloatVector q = r.fma(FloatVector.broadcast(F, ExactMath.EXP_6), FloatVector.broadcast(F, ExactMath.EXP_5));
            q = q.fma(r, FloatVector.broadcast(F, ExactMath.EXP_4));
            q = q.fma(r, FloatVector.broadcast(F, ExactMath.EXP_3));
            q = q.fma(r, FloatVector.broadcast(F, ExactMath.EXP_2));
            r.mul(r)
                    .fma(q, r)
                    .add(1f)
                    .reinterpretAsInts()
                    .add(t.reinterpretAsInts().lanewise(LSHL, 23))
                    .reinterpretAsFloats()
                    .blend(0f, x.compare(LT, ExactMath.EXP_LEAST))
                    .blend(Float.NaN, x.test(IS_NAN))
                    .intoMemorySegment(ALL, to + 4L * i, LE);
        }
        for (; i < n; i++) {
            ALL.set(FLOAT, to + 4L * i, ExactMath.exp(ALL.get(FLOAT, from + 4L * i) - maximum));
        }
    }

    /** The sum of n floats by NUMERICS rule 5; {@code lanes} is scratch for 32. */
    static float sum(long x, int n, long lanes) {
        int whole = n / LaneTree.LANES * LaneTree.LANES;
        for (int lane = 0; lane < LaneTree.LANES; lane += 2 * L) {
            FloatVector a = FloatVector.zero(F);
            FloatVector b = FloatVector.zero(F);
            for (int i = lane; i < whole; i += LaneTree.LANES) {
                a = a.add(FloatVector.fromMemorySegment(F, ALL, x + 4L * i, LE));
                b = b.add(FloatVector.fromMemorySegment(F, ALL, x + 4L * i + 4L * L, LE));
            }
            a.intoMemorySegment(ALL, lanes + 4L * lane, LE);
            b.intoMemorySegment(ALL, lanes + 4L * lane + 4L * L, LE);
        }
        for (int i = whole; i < n; i++) {
            long at = lanes + 4L * (i - whole);
            ALL.set(FLOAT, at, ALL.get(FLOAT, at) + ALL.get(FLOAT, x + 4L * i));
        }
        return LaneTree.sum(lanes);
    }

    @Override
    public void close() {
        scratch.close();
    }
}
