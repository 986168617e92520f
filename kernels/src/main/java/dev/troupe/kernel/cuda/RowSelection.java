package dev.troupe.kernel.cuda;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Softmax and the largest values of rows in the memory of the device. What gives columns waits for the device. For the thread that owns
 * the stream.
 */
public final class RowSelection implements AutoCloseable {
    private static final int LEAST_COLUMNS = 1024;

    private final CudaStream stream;
    private final CudaModule softmaxModule;
    private final CudaModule topModule;
    private final CudaKernel softmax;
    private final CudaKernel top;
    private final UploadBuffer count;
    private Arena arena = Arena.ofShared();
    private MemorySegment found = MemorySegment.NULL;
    private MemorySegment onHost = MemorySegment.NULL;

    /** Loads the kernels for the device of a stream, which does all their work. */
    public RowSelection(CudaStream stream) {
        this.stream = stream;
        softmaxModule = KernelImages.load(stream.device(), "softmax");
        topModule = KernelImages.load(stream.device(), "top_k");
        softmax = softmaxModule.kernel("softmax");
        top = topModule.kernel("top_k");
        count = new UploadBuffer(stream);
    }

    /** {@code y = exp(x − max) / Σ exp(x − max)} for each row; x and y {@code [rows, n]}, which may be the same tensor. */
    public void softmax(Tensor x, Tensor y, StepRows rows) {
        KernelShapes.requireRows("softmax", x, null, rows.bucket(), y);
        stream.arguments()
                .pointer(x.memory())
                .pointer(y.memory())
                .pointer(rows.count())
                .number(x.columns());
        stream.launch(softmax, rows.bucket(), 1, 0);
    }

    /**
     * The column of the largest value of each row, the lowest on a tie.
     *
     * @param x {@code [tokens, n]}, finite
     * @param columns gets {@code tokens} columns
     */
    public void argmax(Tensor x, int tokens, int[] columns) {
        KernelShapes.requireFloats("argmax", x, tokens);
        select(x, 0, tokens, 1, columns);
    }

    /**
     * The columns of the largest values of one row, descending, the lower column first on a tie.
     *
     * @param x {@code [rows, n]}, finite
     * @param columns is filled; its length says how many
     */
    public void topK(Tensor x, int row, int[] columns) {
        KernelShapes.requireTopK(x, row, columns.length);
        select(x, row, 1, columns.length, columns);
    }

    private void select(Tensor x, int firstRow, int rows, int k, int[] columns) {
        int all = Math.multiplyExact(rows, k);
        if (all == 0) {
            return;
        }
        if (4L * all > found.byteSize()) {
            grow(Math.max(LEAST_COLUMNS, all));
        }
        count.stage(Integer.BYTES).set(ValueLayout.JAVA_INT, 0, rows);
        count.upload(Integer.BYTES);
        stream.arguments()
                .pointer(x.memory())
                .pointer(found)
                .pointer(count.device())
                .number(x.columns())
                .number(firstRow)
                .number(k);
        stream.launch(top, rows, 1, 0);
        stream.download(found.asSlice(0, 4L * all), onHost.asSlice(0, 4L * all));
        stream.synchronize();
        MemorySegment.copy(onHost, ValueLayout.JAVA_INT, 0, columns, 0, all);
    }

    private void grow(int columns) {
        stream.synchronize();
        arena.close();
        arena = Arena.ofShared();
        found = stream.device().memory().allocate(arena, Use.WORKSPACE, 4L * columns);
        onHost = stream.device().pinned(arena, 4L * columns);
    }

    /** Waits for the stream and gives everything back. */
    @Override
    public void close() {
        count.close();
        arena.close();
        softmaxModule.close();
        topModule.close();
    }
}
