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
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Products of bf16 and f16 weights by tensor cores, whose order of additions is the device's own. Activations are two terms of the weights'
 * type each ({@code split_activations.cu}).
 */
final class FastProducts implements AutoCloseable {
    /** Types of weights that are multiplied here. */
    static final List<DType> TYPES = List.of(DType.BF16, DType.F16);

    /** Columns of a line of activations, its bytes, and the lines that a block splits. */
    static final int LINE = 32;

    static final int LINE_BYTES = 2 * 2 * LINE;
    private static final int SPLIT_LINES = 32;

    /** Bytes of a group of 32 rows in a line. */
    static final int GROUP_BYTES = 2 * PackedMatrix.GROUP_ROWS * LINE;

    /**
     * Activations in two terms.
     *
     * @param lines {@code [rows][lineCount]} of 32 high and 32 low terms
     * @param scales of rows, a float each, by which products are multiplied
     * @param rows tokens of all chunks
     * @param lineCount lines of a row
     */
    record Activations(MemorySegment lines, MemorySegment scales, int rows, int lineCount) {}

    /**
     * The kernels of a module that has one for each tile and type, {@code NAME_TILE_TYPE}.
     *
     * @param sharedBytes of dynamic shared memory that a tile takes
     */
    static <T extends Enum<T>> Map<DType, Map<T, CudaKernel>> kernels(
            CudaModule module, String name, Class<T> tiles, ToIntFunction<T> sharedBytes) {
        Map<DType, Map<T, CudaKernel>> kernels = new EnumMap<>(DType.class);
        for (DType type : TYPES) {
            Map<T, CudaKernel> ofType = new EnumMap<>(tiles);
            for (T tile : tiles.getEnumConstants()) {
                String label = tile.name().toLowerCase(Locale.ROOT);
                CudaKernel kernel = module.kernel("%s_%s_%s".formatted(name, label, type.label()));
                kernel.permitShared(sharedBytes.applyAsInt(tile));
                ofType.put(tile, kernel);
            }
            kernels.put(type, ofType);
        }
        return kernels;
    }

    /** The kernels that multiply. */
    sealed interface Products extends AutoCloseable permits MmaProducts, WgmmaProducts {
        /** As {@link FastProducts#multiply}. */
        void multiply(
                PartTables.Table table,
                Activations x,
                @Nullable Tensor bias,
                MemorySegment y,
                int yStride,
                int partStride,
                StepRows rows);

        @Override
        void close();
    }

    private final CudaStream stream;
    private final CudaModule module;
    private final Map<DType, CudaKernel> splits = new EnumMap<>(DType.class);
    private final Products products;
    private final DeviceScratch split;
    private final DeviceScratch scales;

    /** Loads the kernels. */
    FastProducts(CudaStream stream) {
        this.stream = stream;
        this.module = KernelImages.load(stream.device(), "split_activations");
        TYPES.forEach(type -> splits.put(type, module.kernel("split_activations_" + type.label())));
        this.products = stream.device().capability() == WgmmaProducts.CAPABILITY
                ? new WgmmaProducts(stream)
                : new MmaProducts(stream);
        this.split = new DeviceScratch(stream);
        this.scales = new DeviceScratch(stream);
    }

    /** Whether weights of a type are multiplied here. */
    boolean has(DType type) {
        return TYPES.contains(type);
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
        DType type = table.matrices().getFirst().type();
        int columns =
                table.matrices().stream().mapToInt(PackedMatrix::columns).max().orElse(0);
        int lines = Math.max(1, Math.ceilDiv(columns, LINE));
        int splitRows = Math.multiplyExact(table.chunkCount(), rows.bucket());
        Activations activations = new Activations(
                split.atLeast((long) splitRows * lines * LINE_BYTES),
                scales.atLeast((long) Float.BYTES * splitRows),
                splitRows,
                lines);
        stream.arguments()
                .pointer(table.parts())
                .pointer(x.memory())
                .pointer(activations.lines())
                .pointer(activations.scales())
                .pointer(rows.count())
                .number(x.columns())
                .number(lines)
                .number(rows.bucket());
        stream.launch(
                Objects.requireNonNull(splits.get(type)),
                Math.ceilDiv(lines, SPLIT_LINES),
                rows.bucket(),
                table.chunkCount(),
                0);
        products.multiply(table, activations, bias, y, yStride, partStride, rows);
    }

    @Override
    public void close() {
        products.close();
        module.close();
        split.close();
        scales.close();
    }
}
