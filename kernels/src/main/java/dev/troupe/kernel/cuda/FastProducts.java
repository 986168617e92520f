package dev.troupe.kernel.cuda;

import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Products of bf16 and f16 weights by tensor cores, whose order of additions is the device's own ({@code matmul_fast.cu}). Activations
 * are two terms of the weights' type each.
 */
final class FastProducts implements AutoCloseable {
    /** Columns of a line of activations, its bytes, and the lines that a block splits. */
    private static final int LINE = 32;

    private static final int LINE_BYTES = 2 * 2 * LINE;
    private static final int SPLIT_LINES = 32;

    /** Bytes of a group of 32 rows in a line. */
    private static final int GROUP_BYTES = 2 * PackedMatrix.GROUP_ROWS * LINE;

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
            this.sharedBytes = stages * lines * (groups * GROUP_BYTES + tokens * LINE_BYTES);
        }

        static Tile of(int tokens) {
            return tokens <= SKINNY.tokens ? SKINNY : WIDE;
        }

        CudaKernel kernel(CudaModule module, DType type) {
            CudaKernel kernel =
                    module.kernel("matmul_fast_%s_%s".formatted(name().toLowerCase(Locale.ROOT), type.label()));
            kernel.permitShared(sharedBytes);
            return kernel;
        }
    }

    /** The kernels of a type. */
    private record Kernels(CudaKernel split, Map<Tile, CudaKernel> products) {}

    private final CudaStream stream;
    private final List<CudaModule> modules;
    private final Map<DType, Kernels> kernels = new EnumMap<>(DType.class);
    private final DeviceScratch split;
    private final DeviceScratch scales;

    /** Loads the kernels. */
    FastProducts(CudaStream stream) {
        this.stream = stream;
        CudaModule splits = KernelImages.load(stream.device(), "split_activations");
        CudaModule products = KernelImages.load(stream.device(), "matmul_fast");
        this.modules = List.of(splits, products);
        for (DType type : List.of(DType.BF16, DType.F16)) {
            Map<Tile, CudaKernel> tiles = new EnumMap<>(Tile.class);
            for (Tile tile : Tile.values()) {
                tiles.put(tile, tile.kernel(products, type));
            }
            kernels.put(type, new Kernels(splits.kernel("split_activations_" + type.label()), tiles));
        }
        this.split = new DeviceScratch(stream);
        this.scales = new DeviceScratch(stream);
    }

    /** Whether weights of a type are multiplied here. */
    boolean has(DType type) {
        return kernels.containsKey(type);
    }

    /**
     * The products of all matrices of a table.
     *
     * @param y where they go
     * @param yStride floats from token to token
     * @param partStride tokens of y from part to part
     */
    void multiply(
            PartTables.Table table,
            Tensor x,
            @Nullable Tensor bias,
            MemorySegment y,
            int yStride,
            int partStride,
            StepRows rows) {
        Kernels of =
                Objects.requireNonNull(kernels.get(table.matrices().getFirst().type()));
        int columns =
                table.matrices().stream().mapToInt(PackedMatrix::columns).max().orElse(0);
        int lines = Math.max(1, Math.ceilDiv(columns, LINE));
        long splitRows = (long) table.chunkCount() * rows.bucket();
        MemorySegment activations = split.atLeast(splitRows * lines * LINE_BYTES);
        MemorySegment scaling = scales.atLeast(Float.BYTES * splitRows);
        stream.arguments()
                .pointer(table.parts())
                .pointer(x.memory())
                .pointer(activations)
                .pointer(scaling)
                .pointer(rows.count())
                .number(x.columns())
                .number(lines)
                .number(rows.bucket());
        stream.launch(of.split(), Math.ceilDiv(lines, SPLIT_LINES), rows.bucket(), table.chunkCount(), 0);
        Tile tile = Tile.of(rows.bucket());
        stream.arguments()
                .pointer(table.parts())
                .pointer(activations)
                .pointer(scaling)
                .optional(bias)
                .pointer(y)
                .pointer(rows.count())
                .number(lines)
                .number(table.chunkCount() > 1 ? rows.bucket() : 0)
                .number(yStride)
                .number(partStride);
        stream.launch(
                Objects.requireNonNull(of.products().get(tile)),
                Math.ceilDiv(table.groups(), tile.groups),
                Math.ceilDiv(rows.bucket(), tile.tokens),
                table.matrices().size(),
                tile.sharedBytes);
    }

    @Override
    public void close() {
        modules.forEach(CudaModule::close);
        split.close();
        scales.close();
    }
}
