package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/** Rotary position embedding of heads in place, half against half. */
final class Rotation {
    private static final VectorSpecies<Float> F = Lanes.F;

    private final WorkerPool pool;
    private final WorkerPool.Work row = this::row;
    private @Nullable TokenBatch batch;
    private long x;
    private long stride;
    private int heads;
    private int half;
    private long cosines;
    private long sines;

    Rotation(WorkerPool pool) {
        this.pool = pool;
    }

    /** As {@code Kernels.rope}. */
    void rows(Tensor x, int firstColumn, int heads, int headDim, RopeTable table, TokenBatch batch) {
        KernelShapes.requireRope(x, firstColumn, heads, headDim, table, batch);
        this.batch = batch;
        this.x = x.address() + 4L * firstColumn;
        this.stride = 4L * x.columns();
        this.heads = heads;
        this.half = headDim / 2;
        this.cosines = table.cosines().address();
        this.sines = table.sines().address();
        pool.run(batch.tokens(), row);
        this.batch = null;
    }

    private void row(int token, int worker) {
        long position = batch == null ? 0 : batch.position(token);
        for (int h = 0; h < heads; h++) {
            long head = x + token * stride + 8L * h * half;
            rotate(head, head + 4L * half, half, cosines + 4 * position * half, sines + 4 * position * half);
        }
    }

    private static void rotate(long first, long second, int half, long cosines, long sines) {
        int i = 0;
        for (; i + L <= half; i += L) {
            FloatVector c = FloatVector.fromMemorySegment(F, ALL, cosines + 4L * i, LE);
            FloatVector s = FloatVector.fromMemorySegment(F, ALL, sines + 4L * i, LE);
            FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, first + 4L * i, LE);
            FloatVector x1 = FloatVector.fromMemorySegment(F, ALL, second + 4L * i, LE);
            x0.fma(c, x1.mul(s).neg()).intoMemorySegment(ALL, first + 4L * i, LE);
            x1.fma(c, x0.mul(s)).intoMemorySegment(ALL, second + 4L * i, LE);
        }
        for (; i < half; i++) {
            float c = ALL.get(FLOAT, cosines + 4L * i);
            float s = ALL.get(FLOAT, sines + 4L * i);
            float x0 = ALL.get(FLOAT, first + 4L * i);
            float x1 = ALL.get(FLOAT, second + 4L * i);
            ALL.set(FLOAT, first + 4L * i, Math.fma(x0, c, -(x1 * s)));
            ALL.set(FLOAT, second + 4L * i, Math.fma(x1, c, x0 * s));
        }
    }
}
