package dev.troupe.kernel.vector;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * The reference kernels, vector kernels with one, two and three threads, and some with native products where these run, for
 * comparison by raw bits.
 */
final class Backends implements AutoCloseable {
    /** What outputs are filled with before a kernel runs, to see what it leaves alone. */
    static final float UNTOUCHED = 12345.678f;

    final Kernels reference = new ReferenceKernels();
    final List<VectorKernels> vector = new ArrayList<>(List.of(
            new VectorKernels(new WorkerPool(1)),
            new VectorKernels(new WorkerPool(2)),
            new VectorKernels(new WorkerPool(3))));

    Backends() {
        if (NativeProducts.refusal() == null) {
            vector.add(new VectorKernels(new WorkerPool(1), true));
            vector.add(new VectorKernels(new WorkerPool(3), true));
        }
    }

    /** An f32 tensor full of {@link #UNTOUCHED}. */
    static Tensor output(Arena arena, int rows, int columns) {
        Tensor tensor = Tensor.floats(arena, rows, columns);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                tensor.set(r, c, UNTOUCHED);
            }
        }
        return tensor;
    }

    /** A copy of an f32 tensor. */
    static Tensor copy(Arena arena, Tensor source) {
        Tensor tensor = Tensor.floats(arena, source.rows(), source.columns());
        tensor.memory().copyFrom(source.memory());
        return tensor;
    }

    /** Fails unless the first {@code rows} rows have equal bits and the others of {@code actual} are untouched. */
    static void assertRows(String what, Tensor expected, Tensor actual, int rows) {
        long bytes = 4L * rows * expected.columns();
        long differs =
                expected.memory().asSlice(0, bytes).mismatch(actual.memory().asSlice(0, bytes));
        if (differs >= 0) {
            int row = (int) (differs / 4 / expected.columns());
            int column = (int) (differs / 4 % expected.columns());
            throw new AssertionError("%s: row %d, column %d is %s, the reference has %s"
                    .formatted(
                            what,
                            row,
                            column,
                            Float.toHexString(actual.get(row, column)),
                            Float.toHexString(expected.get(row, column))));
        }
        MemorySegment rest = actual.memory().asSlice(bytes);
        for (long i = 0; i < rest.byteSize(); i += 4) {
            float value = rest.get(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
            if (value != UNTOUCHED) {
                throw new AssertionError("%s: wrote %s behind its rows".formatted(what, value));
            }
        }
    }

    @Override
    public void close() {
        reference.close();
        vector.forEach(VectorKernels::close);
    }
}
