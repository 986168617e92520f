package dev.troupe.kernel.cuda;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Products of fast kernels, compared with float64: each may be off by what {@link #bound} says, and a token's must not depend, by a bit, on
 * how many tokens are beside it.
 */
public final class FastCheck {
    /** Not a multiple of 32, and more than one tile of rows. */
    private static final int ROWS = 139;

    /** No whole lines of 32. */
    private static final int COLUMNS = 301;

    /** Tokens of both tiles, the most first; not a multiple of 8. */
    private static final int[] TOKENS = {67, 19, 1};

    /** 8 chunks, some of which end inside a line. */
    private static final ReductionChunks CHUNKS = ReductionChunks.attention(16, 4, 40);

    private static final List<DType> TYPES = List.of(DType.BF16, DType.F16);

    /** Products that are compared: of each type, whole and in chunks. */
    public static final int CASES = TYPES.size() * 2 * TOKENS.length;

    private final Kernels fast;
    private final Arena arena;
    private final Random random = new Random(8);

    private FastCheck(Kernels fast, Arena arena) {
        this.fast = fast;
        this.arena = arena;
    }

    /**
     * The largest error of a product, as a part of the sum of the products' magnitudes. What two terms leave of an activation is 2^-16 or
     * 2^-22 of it ({@code split_activations.cu}); there are two products for every column, each of which is added with an error of
     * 2^-23 of the sum if the device rounds toward zero.
     *
     * @param type of the weights, bf16 or f16
     */
    public static double bound(DType type, int columns) {
        return (type == DType.BF16 ? 0x1p-16 : 0x1p-22) + 2 * columns * 0x1p-23;
    }

    /**
     * Compares.
     *
     * @param fast kernels to check
     * @return what differs, or null
     */
    public static @Nullable String difference(Kernels fast) {
        try (Arena arena = Arena.ofShared()) {
            FastCheck check = new FastCheck(fast, arena);
            for (DType type : TYPES) {
                String difference = check.plain(type);
                difference = difference == null ? check.chunks(type) : difference;
                if (difference != null) {
                    return difference;
                }
            }
            return null;
        }
    }

    /** Computes {@code y} of so many tokens of {@code x}. */
    @FunctionalInterface
    private interface Product {
        void run(Tensor x, int tokens, Tensor y);
    }

    private @Nullable String plain(DType type) {
        Tensor w = weights(type, COLUMNS);
        PackedMatrix packed = MatrixPacker.pack(arena, w).placed(fast.memory(), arena);
        return compare("fast product", w, (x, tokens, y) -> fast.matmul(packed, null, x, tokens, y));
    }

    private @Nullable String chunks(DType type) {
        Tensor w = weights(type, CHUNKS.groupStart(CHUNKS.groups()));
        ChunkedMatrix packed =
                MatrixPacker.packChunks(arena, w, CHUNKS, 0, CHUNKS.groups()).placed(fast.memory(), arena);
        return compare(
                "fast product in chunks", w, (x, tokens, y) -> fast.matmulChunks(packed, x, tokens, new Tensor[] {y}));
    }

    private @Nullable String compare(String what, Tensor w, Product product) {
        DeviceMemory memory = fast.memory();
        Tensor x = normal(TOKENS[0], w.columns());
        Tensor placed = memory.place(arena, x);
        Floats most = null;
        for (int tokens : TOKENS) {
            Tensor y = memory.floats(arena, tokens, ROWS);
            product.run(placed, tokens, y);
            Floats got = memory.read(y, tokens);
            String difference = most == null ? inaccurate(w, x, got) : differing(most, got);
            if (difference != null) {
                return "%s of %s, %d tokens, %s".formatted(what, w.type().label(), tokens, difference);
            }
            most = most == null ? got : most;
        }
        return null;
    }

    private static @Nullable String inaccurate(Tensor w, Tensor x, Floats got) {
        double bound = bound(w.type(), w.columns());
        for (int t = 0; t < got.rows(); t++) {
            for (int r = 0; r < ROWS; r++) {
                double sum = 0;
                double magnitude = 0;
                for (int k = 0; k < w.columns(); k++) {
                    double term = (double) value(w, r, k) * x.get(t, k);
                    sum += term;
                    magnitude += Math.abs(term);
                }
                if (!(Math.abs(got.get(t, r) - sum) <= bound * magnitude)) {
                    return "row %d, column %d: %s, expected %s within %.1e"
                            .formatted(t, r, got.get(t, r), sum, bound * magnitude);
                }
            }
        }
        return null;
    }

    private static @Nullable String differing(Floats most, Floats got) {
        for (int t = 0; t < got.rows(); t++) {
            for (int r = 0; r < ROWS; r++) {
                if (Float.floatToRawIntBits(got.get(t, r)) != Float.floatToRawIntBits(most.get(t, r))) {
                    return "row %d, column %d: %s, with %d tokens it was %s"
                            .formatted(t, r, got.get(t, r), most.rows(), most.get(t, r));
                }
            }
        }
        return null;
    }

    private static float value(Tensor w, int row, int column) {
        short bits = w.memory().get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * (row * w.columns() + column));
        return w.type() == DType.F16 ? Float.float16ToFloat(bits) : Float.intBitsToFloat(bits << 16);
    }

    /** {@code [ROWS, columns]} as a file has them. */
    private Tensor weights(DType type, int columns) {
        Tensor stored = new Tensor(type, ROWS, columns, arena.allocate(type.rowBytes(columns) * ROWS));
        for (int i = 0; i < ROWS * columns; i++) {
            float value = (float) random.nextGaussian() * 0.05f;
            short bits =
                    type == DType.F16 ? Float.floatToFloat16(value) : (short) (Float.floatToRawIntBits(value) >>> 16);
            stored.memory().set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, bits);
        }
        return stored;
    }

    /** Normal values, each token's about as large as no other's: from 2^-20 to 2^20. */
    private Tensor normal(int rows, int columns) {
        Tensor tensor = Tensor.floats(arena, rows, columns);
        for (int r = 0; r < rows; r++) {
            float size = Math.scalb(1f, r * 40 / rows - 20);
            for (int c = 0; c < columns; c++) {
                tensor.set(r, c, (float) random.nextGaussian() * size);
            }
        }
        return tensor;
    }
}
