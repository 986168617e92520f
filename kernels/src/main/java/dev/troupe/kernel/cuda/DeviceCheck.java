package dev.troupe.kernel.cuda;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.quantised.BlockQuantiser;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A small product of every family of weights, attention and what else sums, compared by their raw bits with those of other kernels before
 * a device is trusted: its driver may have compiled the kernels itself, and devices can be broken.
 */
final class DeviceCheck {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Not a multiple of 32, and more than one group. */
    private static final int ROWS = 33;

    /** A whole block of every type. */
    private static final int COLUMNS = 256;

    private static final int TOKENS = 5;

    private static final int GROUPS = 4;

    /** Single products of floats; blocks of 32 and of 256; with an offset and without. */
    private static final List<DType> TYPES =
            List.of(DType.F32, DType.BF16, DType.F16, DType.Q8_0, DType.Q4_0, DType.Q4_K);

    private static final int HEAD_DIM = 64;
    private static final int HEADS = 4;
    private static final int BLOCK_SIZE = 32;

    /** More than one span of attention. */
    private static final int LENGTH = 140;

    /** Tokens that attend at once: as in decoding, and as in a prompt. */
    private static final int[] ATTENDING = {1, 24};

    private final Kernels expected;
    private final Kernels candidate;
    private final Arena arena;
    private final Random random = new Random(7);

    private DeviceCheck(Kernels expected, Kernels candidate, Arena arena) {
        this.expected = expected;
        this.candidate = candidate;
        this.arena = arena;
    }

    /**
     * Compares.
     *
     * @param expected kernels to trust, on the host
     * @param candidate kernels to check
     * @return what differs, or null
     */
    static @Nullable String difference(Kernels expected, Kernels candidate) {
        try (Arena arena = Arena.ofShared()) {
            DeviceCheck check = new DeviceCheck(expected, candidate, arena);
            String difference = check.products();
            difference = difference == null ? check.rows() : difference;
            return difference == null ? check.attention() : difference;
        }
    }

    /** Computes {@code y} from tensors of the host, which it places in the kernels' memory. */
    @FunctionalInterface
    private interface Operation {
        void run(Kernels kernels, DeviceMemory memory, Tensor y);
    }

    private @Nullable String compare(String what, int rows, int columns, Operation operation) {
        float[] wanted = run(expected, rows, columns, operation);
        float[] got = run(candidate, rows, columns, operation);
        for (int i = 0; i < wanted.length; i++) {
            if (Float.floatToRawIntBits(wanted[i]) != Float.floatToRawIntBits(got[i])) {
                return "%s, row %d, column %d: %s, expected %s"
                        .formatted(
                                what,
                                i / columns,
                                i % columns,
                                Float.toHexString(got[i]),
                                Float.toHexString(wanted[i]));
            }
        }
        return null;
    }

    private float[] run(Kernels kernels, int rows, int columns, Operation operation) {
        DeviceMemory memory = kernels.memory();
        Tensor y = memory.floats(arena, rows, columns);
        operation.run(kernels, memory, y);
        return memory.read(y, rows).toArray();
    }

    private @Nullable String products() {
        Tensor x = normal(TOKENS, COLUMNS);
        // 8 chunks of a block of 32 columns each, whose sums a tree adds
        ReductionChunks chunks = ReductionChunks.feedForward(2 * GROUPS, GROUPS, COLUMNS);
        for (DType type : TYPES) {
            Tensor source = matrix(type);
            PackedMatrix packed = MatrixPacker.pack(arena, source);
            String difference = compare(
                    "product of " + type.label(),
                    TOKENS,
                    ROWS,
                    (kernels, memory, y) ->
                            kernels.matmul(packed.placed(memory, arena), null, memory.place(arena, x), TOKENS, y));
            if (difference != null) {
                return difference;
            }
            ChunkedMatrix inChunks = MatrixPacker.packChunks(arena, source, chunks, 0, GROUPS);
            difference = compare(
                    "product in chunks of " + type.label(),
                    TOKENS,
                    ROWS,
                    (kernels, memory, y) -> kernels.matmulChunks(
                            inChunks.placed(memory, arena), memory.place(arena, x), TOKENS, new Tensor[] {y}));
            if (difference != null) {
                return difference;
            }
        }
        return null;
    }

    private @Nullable String rows() {
        Tensor x = normal(TOKENS, COLUMNS);
        Tensor w = normal(1, COLUMNS);
        String difference = compare(
                "rmsNorm",
                TOKENS,
                COLUMNS,
                (kernels, memory, y) ->
                        kernels.rmsNorm(memory.place(arena, x), memory.place(arena, w), 1e-5f, TOKENS, y));
        if (difference == null) {
            difference = compare(
                    "swiglu",
                    TOKENS,
                    COLUMNS / 2,
                    (kernels, memory, y) -> kernels.swiglu(memory.place(arena, x), TOKENS, y));
        }
        return difference != null
                ? difference
                : compare(
                        "softmax",
                        TOKENS,
                        COLUMNS,
                        (kernels, memory, y) -> kernels.softmax(memory.place(arena, x), TOKENS, y));
    }

    private @Nullable String attention() {
        Tensor qkv = normal(LENGTH, (HEADS + 2) * HEAD_DIM);
        for (int attending : ATTENDING) {
            String difference = compare(
                    "attention of %d tokens".formatted(attending),
                    attending,
                    HEADS * HEAD_DIM,
                    (kernels, memory, y) -> {
                        int blocks = Math.ceilDiv(LENGTH, BLOCK_SIZE);
                        try (KvStore store = new KvStore(memory, KvType.F16, 1, 1, HEAD_DIM, BLOCK_SIZE, blocks)) {
                            kernels.storeKv(
                                    store,
                                    0,
                                    memory.place(arena, qkv),
                                    batch(0, LENGTH, blocks),
                                    kernels.flags(arena, LENGTH));
                            Tensor last = rows(qkv, LENGTH - attending);
                            kernels.attention(
                                    store,
                                    0,
                                    memory.place(arena, last),
                                    0.125f,
                                    0,
                                    batch(LENGTH - attending, LENGTH, blocks),
                                    y);
                            memory.read(y, attending); // before the store ends
                        }
                    });
            if (difference != null) {
                return difference;
            }
        }
        return null;
    }

    /** Positions {@code [from, to)} of one sequence. */
    private static TokenBatch batch(int from, int to, int blocks) {
        return new TokenBatch(new int[to - from], IntStream.range(from, to).toArray(), new int[to - from], new int[][] {
            IntStream.range(0, blocks).toArray()
        });
    }

    /** The rows of a tensor from one on. */
    private static Tensor rows(Tensor tensor, int from) {
        return new Tensor(
                DType.F32,
                tensor.rows() - from,
                tensor.columns(),
                tensor.memory().asSlice(4L * from * tensor.columns()));
    }

    private Tensor normal(int rows, int columns) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        Tensor tensor = Tensor.floats(arena, rows, columns);
        tensor.setRows(0, new Floats(rows, columns, values));
        return tensor;
    }

    /** {@code [ROWS, COLUMNS]} as a file has them. */
    private Tensor matrix(DType type) {
        Tensor values = normal(ROWS, COLUMNS);
        if (type == DType.F32) {
            return values;
        }
        long rowBytes = type.rowBytes(COLUMNS);
        Tensor stored = new Tensor(type, ROWS, COLUMNS, arena.allocate(rowBytes * ROWS));
        for (int r = 0; r < ROWS; r++) {
            float[] row = values.copyRows(r, r + 1).toArray();
            MemorySegment to = stored.memory().asSlice(r * rowBytes, rowBytes);
            if (type.quantised()) {
                new BlockQuantiser(type).round(row, to);
            } else {
                for (int c = 0; c < COLUMNS; c++) {
                    short bits = type == DType.F16
                            ? Float.floatToFloat16(row[c])
                            : (short) (Float.floatToRawIntBits(row[c]) >>> 16);
                    to.set(SHORT, 2L * c, bits);
                }
            }
        }
        return stored;
    }
}
