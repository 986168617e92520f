package dev.troupe.kernel.cuda;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The operations of {@link dev.troupe.kernel.Kernels} that take every row by itself and read no weights but those of a norm. All
 * tensors lie in the memory of the device, and every operation is added to a stream.
 */
public final class RowOperations implements AutoCloseable {
    private final CudaModule addModule;
    private final CudaModule normModule;
    private final CudaModule swigluModule;
    private final CudaKernel add;
    private final CudaKernel norm;
    private final CudaKernel swiglu;

    /** Loads the kernels. */
    public RowOperations(CudaDevice device) {
        addModule = KernelImages.load(device, "add");
        normModule = KernelImages.load(device, "rms_norm");
        swigluModule = KernelImages.load(device, "swiglu");
        add = addModule.kernel("add");
        norm = normModule.kernel("rms_norm");
        swiglu = swigluModule.kernel("swiglu");
    }

    /** {@code a = a + b}, both {@code [rows, n]}. */
    public void add(CudaStream stream, Tensor a, Tensor b, StepRows rows) {
        KernelShapes.requireRows("add", a, null, rows.bucket(), b);
        stream.arguments()
                .pointer(a.memory())
                .pointer(b.memory())
                .pointer(rows.count())
                .number(a.columns());
        stream.launch(add, blocks(Math.multiplyExact(rows.bucket(), (long) a.columns()), add), 1, 0);
    }

    /** {@code y = x · (1 / √(Σx²/n + ε)) · w} for each row; x and y {@code [rows, n]}, w {@code [1, n]}. */
    public void rmsNorm(CudaStream stream, Tensor x, Tensor w, float epsilon, Tensor y, StepRows rows) {
        KernelShapes.requireRows("rmsNorm", x, w, rows.bucket(), y);
        norm(stream, x, null, 0, 1, w, epsilon, y, rows);
    }

    /** {@code residual = residual + x}, then {@code y = rmsNorm(residual)}; all {@code [rows, n]}, w {@code [1, n]}. */
    public void addRmsNorm(
            CudaStream stream, Tensor residual, Tensor x, Tensor w, float epsilon, Tensor y, StepRows rows) {
        KernelShapes.requireRows("addRmsNorm", residual, null, rows.bucket(), x);
        KernelShapes.requireRows("addRmsNorm", residual, w, rows.bucket(), y);
        norm(stream, residual, x, 0, 1, w, epsilon, y, rows);
    }

    /** RMSNorm in place of each of {@code heads} heads of {@code w.columns()} elements, from column {@code firstColumn}. */
    public void rmsNormHeads(
            CudaStream stream, Tensor x, int firstColumn, int heads, Tensor w, float epsilon, StepRows rows) {
        KernelShapes.requireNormHeads(x, firstColumn, heads, w, rows.bucket());
        if (heads > 0) {
            norm(stream, x, null, firstColumn, heads, w, epsilon, x, rows);
        }
    }

    private void norm(
            CudaStream stream,
            Tensor x,
            @Nullable Tensor added,
            int firstColumn,
            int heads,
            Tensor w,
            float epsilon,
            Tensor y,
            StepRows rows) {
        stream.arguments()
                .pointer(x.memory())
                .optional(added)
                .pointer(w.memory())
                .pointer(y.memory())
                .pointer(rows.count())
                .number(w.columns())
                .number(x.columns())
                .number(y.columns())
                .number(firstColumn)
                .number(epsilon);
        stream.launch(norm, heads, rows.bucket(), 0);
    }

    /** {@code y = g / (1 + exp(−g)) · u}; gateUp {@code [rows, 2n]} holds g then u, y {@code [rows, n]}. */
    public void swiglu(CudaStream stream, Tensor gateUp, Tensor y, StepRows rows) {
        KernelShapes.requireSwiglu(gateUp, rows.bucket(), y);
        stream.arguments()
                .pointer(gateUp.memory())
                .pointer(y.memory())
                .pointer(rows.count())
                .number(y.columns());
        stream.launch(swiglu, blocks(y.columns(), swiglu), rows.bucket(), 0);
    }

    /** Blocks with a thread for every value. */
    private static int blocks(long values, CudaKernel kernel) {
        return Math.toIntExact((values + kernel.threads() - 1) / kernel.threads());
    }

    @Override
    public void close() {
        List.of(addModule, normModule, swigluModule).forEach(CudaModule::close);
    }
}
