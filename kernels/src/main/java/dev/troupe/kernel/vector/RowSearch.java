package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.MAX;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Searches in rows: the largest value, the k largest, values that are not finite. */
final class RowSearch {
    private static final VectorSpecies<Float> F = Lanes.F;

    private final WorkerPool pool;
    private final WorkerPool.Work best = this::best;
    private final WorkerPool.Work check = this::check;
    private long x;
    private int n;
    private int[] columns = new int[0];
    private boolean[] failed = new boolean[0];

    RowSearch(WorkerPool pool) {
        this.pool = pool;
    }

    /** As {@code Kernels.argmax}. */
    void argmax(Tensor x, int tokens, int[] columns) {
        KernelShapes.requireFloats("argmax", x, tokens);
        start(x);
        this.columns = columns;
        pool.run(tokens, best);
    }

    private void start(Tensor x) {
        this.x = x.address();
        this.n = x.columns();
    }

    private void best(int token, int worker) {
        columns[token] = firstOfLargest(x + 4L * token * n, n);
    }

    /** The maximum of all, then the first column that has it. */
    private static int firstOfLargest(long x, int n) {
        FloatVector most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i + L <= n; i += L) {
            most = most.max(FloatVector.fromMemorySegment(F, ALL, x + 4L * i, LE));
        }
        float largest = most.reduceLanes(MAX);
        for (; i < n; i++) {
            largest = Math.max(largest, ALL.get(FLOAT, x + 4L * i));
        }
        for (int column = 0; column < n; column++) {
            if (ALL.get(FLOAT, x + 4L * column) == largest) {
                return column;
            }
        }
        return 0;
    }

    /** As {@code Kernels.topK}: whole vectors that are not above the least kept value are passed over. */
    void topK(Tensor x, int row, int[] columns) {
        KernelShapes.requireTopK(x, row, columns.length);
        if (columns.length == 0) {
            return;
        }
        long from = x.address() + 4L * row * x.columns();
        int n = x.columns();
        int kept = 0;
        for (int i = 0; i < n; i += L) {
            int end = Math.min(n, i + L);
            if (kept == columns.length
                    && i + L <= n
                    && !FloatVector.fromMemorySegment(F, ALL, from + 4L * i, LE)
                            .compare(GT, ALL.get(FLOAT, from + 4L * columns[kept - 1]))
                            .anyTrue()) {
                continue;
            }
            for (int column = i; column < end; column++) {
                kept = insert(from, column, columns, kept);
            }
        }
    }

    private static int insert(long x, int column, int[] columns, int kept) {
        float value = ALL.get(FLOAT, x + 4L * column);
        int at = kept;
        while (at > 0 && value > ALL.get(FLOAT, x + 4L * columns[at - 1])) {
            at--;
        }
        if (at == columns.length) {
            return kept;
        }
        int now = Math.min(kept + 1, columns.length);
        System.arraycopy(columns, at, columns, at + 1, now - at - 1);
        columns[at] = column;
        return now;
    }

    /** As {@code Kernels.markNonFinite}. */
    void markNonFinite(Tensor x, int tokens, TokenFlags nonFinite) {
        KernelShapes.requireFloats("markNonFinite", x, tokens);
        start(x);
        if (failed.length < tokens) {
            failed = new boolean[tokens];
        }
        pool.run(tokens, check);
        for (int t = 0; t < tokens; t++) {
            if (failed[t]) {
                nonFinite.mark(t);
            }
        }
    }

    /** A value times 0 is ±0 if it is finite, NaN if not; NaN survives the sum. */
    private void check(int token, int worker) {
        long from = x + 4L * token * n;
        FloatVector sum = FloatVector.zero(F);
        int i = 0;
        for (; i + L <= n; i += L) {
            sum = FloatVector.fromMemorySegment(F, ALL, from + 4L * i, LE).fma(FloatVector.zero(F), sum);
        }
        boolean finite = !sum.compare(GT, -1f).not().anyTrue();
        for (; i < n; i++) {
            finite &= Float.isFinite(ALL.get(FLOAT, from + 4L * i));
        }
        failed[token] = !finite;
    }
}
