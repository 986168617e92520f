package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Fast products on every device that tensor cores of warps ({@code mma.sync}) are on: {@code matmul_fast.cu}. */
final class MmaProducts implements FastProducts.Products {
    /** A tile as {@code matmul_fast.cu} has it: groups of 32 rows, tokens, lines of a stage, stages. */
    private enum Tile {
        SKINNY(2, 64, 2, 4),
        WIDE(4, 128, 1, 3);

        private final int groups;
        private final int tokens;
        private final int sharedBytes;

        Tile(int groups, int tokens, int lines, int stages) {
            this.groups = groups;
            this.tokens = tokens;
            this.sharedBytes = stages * lines * (groups * FastProducts.GROUP_BYTES + tokens * FastProducts.LINE_BYTES);
        }

        static Tile of(int tokens) {
            return tokens <= SKINNY.tokens ? SKINNY : WIDE;
        }
    }

    private final CudaStream stream;
    private final CudaModule module;
    private final Map<DType, Map<Tile, CudaKernel>> kernels;

    MmaProducts(CudaStream stream) {
        this.stream = stream;
        this.module = KernelImages.load(stream.device(), "matmul_fast");
        this.kernels = FastProducts.kernels(module, "matmul_fast", Tile.class, tile -> tile.sharedBytes);
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
        Tile tile = Tile.of(rows.bucket());
        Map<Tile, CudaKernel> tiles =
                Objects.requireNonNull(kernels.get(table.matrices().getFirst().type()));
        stream.arguments()
                .pointer(table.parts())
                .pointer(x.lines())
                .pointer(x.scales())
                .optional(bias)
                .pointer(y)
                .pointer(rows.count())
                .number(x.lineCount())
                .number(table.chunkCount() > 1 ? rows.bucket() : 0)
                .number(yStride)
                .number(partStride);
        stream.launch(
                Objects.requireNonNull(tiles.get(tile)),
                Math.ceilDiv(table.groups(), tile.groups),
                Math.ceilDiv(rows.bucket(), tile.tokens),
                table.matrices().size(),
                tile.sharedBytes);
    }

    @Override
    public void close() {
        module.close();
    }
}
