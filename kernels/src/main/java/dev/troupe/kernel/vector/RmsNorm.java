package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** RMSNorm of rows or of heads, with an addition before it where asked for. */
final class RmsNorm implements AutoCloseable {
    private static final VectorSpecies<Float> F = Lanes.F;

    private final WorkerPool pool;
    private final Scratch scratch = new Scratch();
    private final WorkerPool.Work row = this::row;
    private final long lanes;

    private long x;
    private long xStride;
    private long residual;
    private long residualStride;
    private long y;
    private long yStride;
    private long w;
    private int n;
    private int heads;
    private float epsilon;

    RmsNorm(WorkerPool pool) {
        this.pool = pool;
        this.lanes = scratch.atLeast(LaneTree.BYTES * pool.threads());
    }

    /** As {@code Kernels.rmsNorm}. */
    void rows(Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        KernelShapes.requireRows("rmsNorm", x, w, tokens, y);
        residual = 0;
        start(x, 0, 1, w, epsilon, tokens, y);
    }

    /** As {@code Kernels.addRmsNorm}. */
    void addedRows(Tensor residual, Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        KernelShapes.requireRows("addRmsNorm", residual, null, tokens, x);
        KernelShapes.requireRows("addRmsNorm", residual, w, tokens, y);
        this.residual = residual.address();
        this.residualStride = 4L * residual.columns();
        start(x, 0, 1, w, epsilon, tokens, y);
    }

    /** As {@code Kernels.rmsNormHeads}. */
    void heads(Tensor x, int firstColumn, int heads, Tensor w, float epsilon, int tokens) {
        KernelShapes.requireNormHeads(x, firstColumn, heads, w, tokens);
        residual = 0;
        start(x, firstColumn, heads, w, epsilon, tokens, x);
    }

    private void start(Tensor x, int firstColumn, int heads, Tensor w, float epsilon, int tokens, Tensor y) {
        this.x = x.address() + 4L * firstColumn;
        this.xStride = 4L * x.columns();
        this.y = y.address() + 4L * firstColumn;
        this.yStride = 4L * y.columns();
        this.w = w.address();
        this.n = w.columns();
        this.heads = heads;
        this.epsilon = epsilon;
        pool.run(tokens, row);
    }

    private void row(int token, int worker) {
        long from = x + token * xStride;
        if (residual != 0) {
            long sum = residual + token * residualStride;
            Addition.add(sum, from, n);
            from = sum;
        }
        for (int h = 0; h < heads; h++) {
            long head = 4L * h * n;
            norm(from + head, w, n, epsilon, y + token * yStride + head, lanes + LaneTree.BYTES * worker);
        }
    }

    /** One row; {@code lanes} is scratch for 32 floats. Two accumulators of a pass hold neighbouring vectors of lanes. */
    private static void norm(long x, long w, int n, float epsilon, long y, long lanes) {
        int whole = n / LaneTree.LANES * LaneTree.LANES;
        for (int lane = 0; lane < LaneTree.LANES; lane += 2 * L) {
            FloatVector a = FloatVector.zero(F);
            FloatVector b = FloatVector.zero(F);
            for (int i = lane; i < whole; i += LaneTree.LANES) {
                FloatVector u = FloatVector.fromMemorySegment(F, ALL, x + 4L * i, LE);
                FloatVector v = FloatVector.fromMemorySegment(F, ALL, x + 4L * i + 4L * L, LE);
                a = u.fma(u, a);
                b = v.fma(v, b);
            }
            a.intoMemorySegment(ALL, lanes + 4L * lane, LE);
            b.intoMemorySegment(ALL, lanes + 4L * lane + 4L * L, LE);
        }
        for (int i = whole; i < n; i++) {
            float value = ALL.get(FLOAT, x + 4L * i);
            long at = lanes + 4L * (i - whole);
            ALL.set(FLOAT, at, Math.fma(value, value, ALL.get(FLOAT, at)));
        }
        float inverse = 1f / (float) Math.sqrt(LaneTree.sum(lanes) / n + epsilon);
        int i = 0;
        for (; i + L <= n; i += L) {
            FloatVector.fromMemorySegment(F, ALL, x + 4L * i, LE)
                    .mul(inverse)
                    .mul(FloatVector.fromMemorySegment(F, ALL, w + 4L * i, LE))
                    .intoMemorySegment(ALL, y + 4L * i, LE);
        }
        for (; i < n; i++) {
            ALL.set(FLOAT, y + 4L * i, ALL.get(FLOAT, x + 4L * i) * inverse * ALL.get(FLOAT, w + 4L * i));
        }
    }

    @Override
    public void close() {
        scratch.close();
    }
}
