package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.IS_NAN;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.troupe.kernel.ExactMath;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** The gate of the feed-forward block, divided over tokens and columns. */
final class Swiglu {
    private static final VectorSpecies<Float> F = Lanes.F;

    /** Columns of an item. */
    private static final int COLUMNS = 4096;

    private final WorkerPool pool;
    private final WorkerPool.Work item = this::item;
    private long gateUp;
    private long y;
    private int n;
    private int perRow;

    Swiglu(WorkerPool pool) {
        this.pool = pool;
    }

    /** As {@code Kernels.swiglu}. */
    void rows(Tensor gateUp, int tokens, Tensor y) {
        KernelShapes.requireSwiglu(gateUp, tokens, y);
        this.gateUp = gateUp.address();
        this.y = y.address();
        this.n = y.columns();
        this.perRow = Math.ceilDiv(n, COLUMNS);
        pool.run(tokens * perRow, item);
    }

    private void item(int item, int worker) {
        long token = item / perRow;
        int column = item % perRow * COLUMNS;
        long gate = gateUp + 4L * (2 * token * n + column);
        gate(gate, gate + 4L * n, Math.min(COLUMNS, n - column), y + 4L * (token * n + column));
    }

    /** {@code y = g / (1 + exp(−g)) · u}; the exponential as {@link ExactMath#exp}. */
    private static void gate(long gate, long up, int n, long y) {
        int i = 0;
        for (; i + L <= n; i += L) {
            FloatVector g = FloatVector.fromMemorySegment(F, ALL, gate + 4L * i, LE);
            FloatVector u = FloatVector.fromMemorySegment(F, ALL, up + 4L * i, LE);
            FloatVector x = g.neg();
            FloatVector t =
                    x.fma(FloatVector.broadcast(F, ExactMath.LOG2_E), FloatVector.broadcast(F, ExactMath.ROUNDER));
            FloatVector m = t.sub(ExactMath.ROUNDER);
            FloatVector r = m.fma(FloatVector.broadcast(F, -ExactMath.LN2_HIGH), x);
            r = m.fma(FloatVector.broadcast(F, -ExactMath.LN2_LOW), r);
            FloatVector q = r.fma(FloatVector.broadcast(F, ExactMath.EXP_6), FloatVector.broadcast(F, ExactMath.EXP_5));
            q = q.fma(r, FloatVector.broadcast(F, ExactMath.EXP_4));
            q = q.fma(r, FloatVector.broadcast(F, ExactMath.EXP_3));
            q = q.fma(r, FloatVector.broadcast(F, ExactMath.EXP_2));
            FloatVector e = r.mul(r)
                    .fma(q, r)
                    .add(1f)
                    .reinterpretAsInts()
                    .add(t.reinterpretAsInts().lanewise(LSHL, 23))
                    .reinterpretAsFloats()
                    .blend(0f, x.compare(LT, ExactMath.EXP_LEAST))
                    .blend(Float.POSITIVE_INFINITY, x.compare(GT, ExactMath.EXP_MOST))
                    .blend(Float.NaN, x.test(IS_NAN));
            g.div(e.add(1f)).mul(u).intoMemorySegment(ALL, y + 4L * i, LE);
        }
        for (; i < n; i++) {
            float g = ALL.get(FLOAT, gate + 4L * i);
            float u = ALL.get(FLOAT, up + 4L * i);
            ALL.set(FLOAT, y + 4L * i, g / (1f + ExactMath.exp(-g)) * u);
        }
    }
}
