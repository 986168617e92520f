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

/** Addition of rows in place. */
final class Addition {
    private static final VectorSpecies<Float> F = Lanes.F;

    private final WorkerPool pool;
    private final WorkerPool.Work row = this::row;
    private long a;
    private long b;
    private int n;

    /** Bytes from a row of b to the next: 0 where all rows of a get the same. */
    private long stride;

    Addition(WorkerPool pool) {
        this.pool = pool;
    }

    /** As {@code Kernels.add}. */
    void rows(Tensor a, Tensor b, int tokens) {
        KernelShapes.requireRows("add", a, null, tokens, b);
        this.a = a.address();
        this.b = b.address();
        this.n = a.columns();
        this.stride = 4L * n;
        pool.run(tokens, row);
    }

    /** As {@code Kernels.addBias}. */
    void bias(Tensor a, Tensor bias, int tokens) {
        KernelShapes.requireRows("addBias", a, bias, tokens, a);
        this.a = a.address();
        this.b = bias.address();
        this.n = a.columns();
        this.stride = 0;
        pool.run(tokens, row);
    }

    private void row(int token, int worker) {
        add(a + 4L * token * n, b + token * stride, n);
    }

    /** {@code a = a + b}, n floats each. */
    static void add(long a, long b, int n) {
        int i = 0;
        for (; i + L <= n; i += L) {
            FloatVector.fromMemorySegment(F, ALL, a + 4L * i, LE)
                    .add(FloatVector.fromMemorySegment(F, ALL, b + 4L * i, LE))
                    .intoMemorySegment(ALL, a + 4L * i, LE);
        }
        for (; i < n; i++) {
            ALL.set(FLOAT, a + 4L * i, ALL.get(FLOAT, a + 4L * i) + ALL.get(FLOAT, b + 4L * i));
        }
    }
}
