package dev.troupe.kernel.cuda;

import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.tensor.DType;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;

/** The kernels that multiply matrices of every type; which of them is fast depends on how many tokens there are, what it gives does not. */
final class ProductKernels implements AutoCloseable {
    /** Tokens at most for which block-quantised weights are multiplied without tensor cores. */
    private static final int FEW = 8;

    /** Tokens at most for the narrower tile, and for float weights without a tile. */
    private static final int SKINNY = 64;

    /** Groups of 32 rows that a block takes: one a warp. */
    private static final int GROUPS = 4;

    /** Tokens that such a block takes together. */
    private static final int TOKENS = 4;

    /** Bytes of a piece of rounded activations. */
    static final long ROUNDED = 48;

    /** Columns of a stage and stages of {@code matmul_float_wide.cu}. */
    private static final int COLUMNS = 16;

    private static final int STAGES = 4;

    /** A tile as {@code matmul_tiles.h} has it: groups of 32 rows, tokens, pieces of a stage, stages. */
    private enum Tile {
        SKINNY("skinny", 2, 64, 4, 4),
        WIDE("wide", 4, 128, 2, 4);

        private final String label;
        private final int groups;
        private final int tokens;
        private final int pieces;
        private final int stages;

        Tile(String label, int groups, int tokens, int pieces, int stages) {
            this.label = label;
            this.groups = groups;
            this.tokens = tokens;
            this.pieces = pieces;
            this.stages = stages;
        }

        /** Dynamic shared memory of a block. */
        int sharedBytes(PackedFormat format) {
            int weights = groups * (format.runBytes() + format.pieceBytes());
            return stages * pieces * (weights + tokens * Math.toIntExact(ROUNDED));
        }

        Product product(CudaModule module, DType type) {
            CudaKernel kernel = module.kernel("matmul_%s_%s".formatted(label, packedAs(type)));
            Product product = new Product(kernel, groups, tokens, sharedBytes(PackedFormat.of(type)));
            kernel.permitShared(product.sharedBytes());
            return product;
        }
    }

    /**
     * A kernel that multiplies.
     *
     * @param groups of 32 rows that a block takes
     * @param tokens that a block takes
     * @param sharedBytes of dynamic shared memory for a block
     */
    record Product(CudaKernel kernel, int groups, int tokens, int sharedBytes) {}

    /** What multiplies a type: few tokens, some, and many. */
    private record Products(Product few, Product skinny, Product wide) {
        Product of(int tokens) {
            return tokens <= FEW ? few : tokens <= ProductKernels.SKINNY ? skinny : wide;
        }
    }

    private final CudaDevice device;
    private final Map<String, CudaModule> modules = new HashMap<>();
    private final Map<DType, Products> products = new EnumMap<>(DType.class);

    /** Loads the kernels of a type when one is first asked for. */
    ProductKernels(CudaDevice device) {
        this.device = device;
    }

    private Products load(DType type) {
        boolean halves = type == DType.BF16 || type == DType.F16; // of which a warp takes two groups
        CudaModule module = module(type.quantised() ? "matmul_blocks" : "matmul_float");
        CudaKernel kernel = module.kernel("matmul_" + packedAs(type));
        Product few = new Product(kernel, halves ? 2 * GROUPS : GROUPS, TOKENS, 0);
        if (!type.quantised()) {
            return new Products(few, few, floatTile(module("matmul_float_wide"), type));
        }
        CudaModule tiles = module("matmul_tiles_" + packedAs(type));
        return new Products(few, Tile.SKINNY.product(tiles, type), Tile.WIDE.product(tiles, type));
    }

    private CudaModule module(String name) {
        return modules.computeIfAbsent(name, any -> KernelImages.load(device, name));
    }

    /** Its activations have four floats more for every token than columns, against bank conflicts. */
    private static Product floatTile(CudaModule module, DType type) {
        CudaKernel kernel = module.kernel("matmul_wide_" + type.label());
        int groups = Tile.WIDE.groups;
        int tokens = Tile.WIDE.tokens;
        int weights = groups * PackedMatrix.GROUP_ROWS * type.blockBytes() * COLUMNS;
        Product product = new Product(kernel, groups, tokens, STAGES * (tokens * 4 * (COLUMNS + 4) + weights));
        kernel.permitShared(product.sharedBytes());
        return product;
    }

    private static String packedAs(DType type) {
        return (type == DType.IQ4_NL ? DType.Q8_0 : type).label();
    }

    /** What multiplies a type for so many tokens. Not for the first time while work is noted. */
    Product of(DType type, int tokens) {
        return products.computeIfAbsent(type, this::load).of(tokens);
    }

    @Override
    public void close() {
        modules.values().forEach(CudaModule::close);
    }
}
