package dev.troupe.kernel.cuda;

import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.KernelArguments;
import dev.troupe.kernel.cuda.driver.KernelArguments.Axis;
import dev.troupe.kernel.cuda.driver.KernelArguments.Swizzle;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Fast products on compute capability 9.0, whose tensor cores read weights and activations from shared memory, where boxes of them were
 * copied ({@code matmul_fast_90a.cu}).
 */
final class WgmmaProducts implements FastProducts.Products {
    /** The one compute capability that has such tensor cores. */
    static final int CAPABILITY = 90;

    /** Parts of a launch. */
    private static final int PARTS = 16;

    /** What boxes are aligned to in shared memory. */
    private static final int ALIGNMENT = 1024;

    /** A tile as {@code matmul_fast_90a.cu} has it: groups of 32 rows, tokens, lines of a stage, stages. */
    private enum Tile {
        FEW(2, 8, 4, 5),
        SKINNY(2, 64, 2, 4),
        WIDE(8, 128, 1, 6);

        private final int groups;
        private final int tokens;
        private final int lines;
        private final int sharedBytes;

        Tile(int groups, int tokens, int lines, int stages) {
            this.groups = groups;
            this.tokens = tokens;
            this.lines = lines;
            this.sharedBytes =
                    ALIGNMENT + stages * lines * (groups * FastProducts.GROUP_BYTES + tokens * FastProducts.LINE_BYTES);
        }

        static Tile of(int tokens) {
            return tokens <= FEW.tokens ? FEW : tokens <= SKINNY.tokens ? SKINNY : WIDE;
        }
    }

    private final CudaStream stream;
    private final CudaModule module;
    private final Map<DType, Map<Tile, CudaKernel>> kernels;

    WgmmaProducts(CudaStream stream) {
        this.stream = stream;
        this.module = KernelImages.load(stream.device(), "matmul_fast_90a");
        this.kernels = FastProducts.kernels(module, "matmul_fast_90a", Tile.class, tile -> tile.sharedBytes);
    }

    @Override
    public void multiply(
            PartTables.Table table,
            FastProducts.Activations x,
            @Nullable Tensor bias,
            MemorySegment y,
            int yStride,
            int partStride,
            StepRows rows) {
        List<PackedMatrix> matrices = table.matrices();
        Tile tile = Tile.of(rows.bucket());
        CudaKernel kernel = Objects.requireNonNull(
                Objects.requireNonNull(kernels.get(matrices.getFirst().type())).get(tile));
        for (int from = 0; from < matrices.size(); from += PARTS) {
            int parts = Math.min(PARTS, matrices.size() - from);
            KernelArguments arguments = stream.arguments();
            map(arguments, x, tile);
            for (int i = 0; i < PARTS; i++) {
                map(arguments, i < parts ? matrices.get(from + i) : null, tile);
            }
            arguments
                    .pointer(table.parts())
                    .pointer(x.scales())
                    .optional(bias)
                    .pointer(y)
                    .pointer(rows.count())
                    .number(from)
                    .number(table.chunkCount() > 1 ? rows.bucket() : 0)
                    .number(yStride)
                    .number(partStride);
            stream.launch(
                    kernel,
                    Math.ceilDiv(rows.bucket(), tile.tokens),
                    Math.ceilDiv(table.groups(), tile.groups),
                    parts,
                    tile.sharedBytes);
        }
    }

    /** A box is a line of both terms of a tile's tokens. */
    private static void map(KernelArguments arguments, FastProducts.Activations x, Tile tile) {
        int numbers = FastProducts.LINE_BYTES / Short.BYTES;
        arguments.tensor(
                x.lines(),
                Swizzle.OF_128,
                new Axis((long) x.lineCount() * numbers, Short.BYTES, numbers),
                new Axis(x.rows(), (long) x.lineCount() * FastProducts.LINE_BYTES, tile.tokens));
    }

    /** A box is a stage's lines of a tile's groups. */
    private static void map(KernelArguments arguments, @Nullable PackedMatrix matrix, Tile tile) {
        if (matrix == null || matrix.columns() == 0 || matrix.rows() == 0) {
            arguments.noTensor();
            return;
        }
        int rows = PackedMatrix.GROUP_ROWS;
        arguments.tensor(
                matrix.memory(),
                Swizzle.OF_64,
                new Axis(rows, Short.BYTES, rows),
                new Axis(matrix.columns(), (long) rows * Short.BYTES, tile.lines * FastProducts.LINE),
                new Axis(matrix.groups(), matrix.groupBytes(), tile.groups));
    }

    @Override
    public void close() {
        module.close();
    }
}
