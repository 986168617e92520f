package dev.troupe.kernel.cuda;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.KernelArguments;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The products of {@link dev.troupe.kernel.Kernels} on a stream, with matrices and tensors in the memory of its device. */
public final class MatrixProducts implements AutoCloseable {
    /** Warps of a block that rounds activations. */
    private static final int PIECES = 4;

    private static final int MOST_NODES = 12;

    private final CudaStream stream;
    private final List<CudaModule> modules;
    private final ProductKernels kernels;
    private final @Nullable FastProducts fast;
    private final CudaKernel rounding;
    private final CudaKernel sum;
    private final PartTables tables;
    private final DeviceScratch rounded;
    private final DeviceScratch chunkProducts;

    /** Loads the kernels of all types. */
    public MatrixProducts(CudaStream stream, Numerics numerics) {
        this.stream = stream;
        CudaModule round = KernelImages.load(stream.device(), "round_activations");
        CudaModule chunks = KernelImages.load(stream.device(), "sum_chunks");
        this.modules = List.of(round, chunks);
        this.kernels = new ProductKernels(stream.device());
        this.fast = numerics == Numerics.FAST ? new FastProducts(stream) : null;
        this.rounding = round.kernel("round_activations");
        this.sum = chunks.kernel("sum_chunks");
        this.tables = new PartTables(stream);
        this.rounded = new DeviceScratch(stream);
        this.chunkProducts = new DeviceScratch(stream);
    }

    /** As {@link dev.troupe.kernel.Kernels#matmul(StackedMatrix, Tensor, Tensor, int, Tensor)}. */
    public void multiply(StackedMatrix w, @Nullable Tensor bias, Tensor x, Tensor y, StepRows rows) {
        KernelShapes.requireMatmul(w, bias, x, rows.bucket(), y);
        for (PartTables.Table table : tables.stacked(w)) {
            product(table, x, bias, y.memory(), y.columns(), 0, rows);
        }
    }

    /** As {@link dev.troupe.kernel.Kernels#matmulChunks}. */
    public void multiplyChunks(ChunkedMatrix w, Tensor x, Tensor[] sums, StepRows rows) {
        List<SumTree.Node> nodes = w.nodes();
        KernelShapes.requireMatmulChunks(w, nodes, x, rows.bucket(), sums);
        if (nodes.size() > MOST_NODES) {
            throw new IllegalArgumentException(
                    "the rank sums %d nodes, expected at most %d".formatted(nodes.size(), MOST_NODES));
        }
        PartTables.Table table = tables.chunks(w);
        int chunks = w.chunks().size();
        MemorySegment products = chunkProducts.atLeast(4L * chunks * rows.bucket() * w.rows());
        product(table, x, null, products, w.rows(), rows.bucket(), rows);
        PartTables.Merges merges = tables.merges(w);
        KernelArguments arguments =
                stream.arguments().pointer(products).pointer(merges.merges()).pointer(merges.ends());
        for (int n = 0; n < MOST_NODES; n++) {
            arguments.optional(n < sums.length ? sums[n] : null);
        }
        arguments.pointer(rows.count()).number(chunks).number(rows.bucket()).number(w.rows());
        stream.launch(sum, Math.ceilDiv(w.rows(), sum.threads()), rows.bucket(), 0);
    }

    /** Rounds x for weights in blocks, into memory that the next product uses anew; x itself for others. */
    private MemorySegment activations(PartTables.Table table, Tensor x, StepRows rows) {
        DType type = table.matrices().getFirst().type();
        if (!type.quantised() || table.pieces() == 0) {
            return x.memory();
        }
        MemorySegment to = rounded.atLeast(ProductKernels.ROUNDED * table.pieces() * rows.bucket());
        boolean nibbles = type != DType.Q8_0 && type != DType.IQ4_NL && type != DType.MXFP4;
        stream.arguments()
                .pointer(table.chunks())
                .pointer(x.memory())
                .pointer(to)
                .pointer(rows.count())
                .number(x.columns())
                .number(table.pieces())
                .number(nibbles ? 1 : 0);
        stream.launch(rounding, Math.ceilDiv(table.mostPieces(), PIECES), rows.bucket(), table.chunkCount(), 0);
        return to;
    }

    private void product(
            PartTables.Table table,
            Tensor x,
            @Nullable Tensor bias,
            MemorySegment y,
            int yStride,
            int partStride,
            StepRows rows) {
        DType type = table.matrices().getFirst().type();
        if (fast != null && fast.has(type)) {
            fast.multiply(table, x, bias, y, yStride, partStride, rows);
            return;
        }
        MemorySegment activations = activations(table, x, rows);
        ProductKernels.Product product = kernels.of(type, rows.bucket());
        stream.arguments()
                .pointer(table.parts())
                .pointer(activations)
                .optional(bias)
                .pointer(y)
                .pointer(rows.count())
                .number(type.quantised() ? table.pieces() : x.columns())
                .number(yStride)
                .number(partStride);
        stream.launch(
                product.kernel(),
                Math.ceilDiv(table.groups(), product.groups()),
                Math.ceilDiv(rows.bucket(), product.tokens()),
                table.matrices().size(),
                product.sharedBytes());
    }

    @Override
    public void close() {
        modules.forEach(CudaModule::close);
        kernels.close();
        if (fast != null) {
            fast.close();
        }
        tables.close();
        rounded.close();
        chunkProducts.close();
    }
}
