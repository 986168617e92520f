package dev.troupe.kernel.natives;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Small products of every block-quantised type and a little attention, compared by their raw bits with those of other kernels
 * before native ones are trusted: the library was made by whatever compiler was there.
 */
public final class NativeCheck {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    /** Not a multiple of 32, and more than one group. */
    private static final int ROWS = 33;

    /** Blocks of 32 and of 256 are cut; few columns, because nothing is compiled yet when a node starts. */
    private static final int FIRST_COLUMN = 221;

    private static final int COLUMNS = 70;
    private static final int STORED_COLUMNS = 512;

    /** One, and a full tile and a part of one, multiplied directly; then so many that they share a panel. */
    private static final int[] TOKENS = {1, 7, 35};

    private static final int MOST_TOKENS = 35;

    /** Tokens that differ; then they come again. Prime to every tile, and few, because the plain loops are not compiled yet. */
    private static final int DISTINCT = 5;

    /** Query heads of a KV head: together every number of heads that share a load. */
    private static final int[] HEADS = {7, 2, 1};

    /** Not a multiple of 16, and more than a tile of elements at every level. */
    private static final int HEAD_DIM = 66;

    private static final int BLOCK_SIZE = 64;

    /** Tokens that attend, each to the last few: one has a tile of 32 tokens, the other one of 64. */
    private static final int[] POSITIONS = {3, 34};

    private static final int WINDOW = 4;

    private NativeCheck() {}

    /**
     * Compares.
     *
     * @param expected kernels to trust
     * @param candidate kernels to check
     * @return what differs, or null
     */
    public static @Nullable String difference(Kernels expected, Kernels candidate) {
        Random random = new Random(7);
        try (Arena arena = Arena.ofShared()) {
            Tensor x = Tensor.floats(arena, MOST_TOKENS, COLUMNS);
            for (int t = 0; t < MOST_TOKENS; t++) {
                for (int k = 0; k < COLUMNS; k++) {
                    x.set(t, k, t < DISTINCT ? (float) random.nextGaussian() : x.get(t % DISTINCT, k));
                }
            }
            for (PackedFormat format : PackedFormat.values()) {
                String difference = difference(expected, candidate, matrix(arena, format.type(), random), x, arena);
                if (difference != null) {
                    return difference;
                }
            }
        }
        return attention(expected, candidate, random);
    }

    private static @Nullable String attention(Kernels expected, Kernels candidate, Random random) {
        int tokens = POSITIONS.length;
        int[][] blocks = {{0}, {1}};
        TokenBatch batch = new TokenBatch(new int[tokens], POSITIONS, new int[] {0, 1}, blocks);
        try (Arena arena = Arena.ofConfined();
                KvStore store = new KvStore(KvType.F16, 1, 1, HEAD_DIM, BLOCK_SIZE, tokens)) {
            halves(store.keys(0), random);
            halves(store.values(0), random);
            for (int heads : HEADS) {
                Tensor qkv = Tensor.floats(arena, tokens, (heads + 2) * HEAD_DIM);
                for (int i = 0; i < tokens * heads * HEAD_DIM; i++) {
                    qkv.set(i / heads / HEAD_DIM, i % (heads * HEAD_DIM), random.nextFloat() * 2 - 1);
                }
                Tensor wanted = Tensor.floats(arena, tokens, heads * HEAD_DIM);
                Tensor got = Tensor.floats(arena, tokens, heads * HEAD_DIM);
                expected.attention(store, 0, qkv, 0.25f, WINDOW, batch, wanted);
                candidate.attention(store, 0, qkv, 0.25f, WINDOW, batch, got);
                long at = wanted.memory().mismatch(got.memory());
                if (at >= 0) {
                    int row = (int) (at / 4 / got.columns());
                    int column = (int) (at / 4 % got.columns());
                    return "attention of %d heads at position %d, column %d: %s, expected %s"
                            .formatted(
                                    heads,
                                    POSITIONS[row],
                                    column,
                                    Float.toHexString(got.get(row, column)),
                                    Float.toHexString(wanted.get(row, column)));
                }
            }
        }
        return null;
    }

    /** Random finite f16 of at most two, some of them subnormal. */
    private static void halves(MemorySegment memory, Random random) {
        for (long at = 0; at + 2 <= memory.byteSize(); at += 2) {
            memory.set(SHORT, at, (short) (random.nextInt() & 0xbfff));
        }
    }

    private static @Nullable String difference(
            Kernels expected, Kernels candidate, PackedMatrix w, Tensor x, Arena arena) {
        Tensor wanted = Tensor.floats(arena, DISTINCT, ROWS);
        expected.matmul(w, null, x, DISTINCT, wanted);
        for (int tokens : TOKENS) {
            Tensor got = Tensor.floats(arena, MOST_TOKENS, ROWS);
            candidate.matmul(w, null, x, tokens, got);
            for (int t = 0; t < tokens; t++) {
                long at = row(got, t).mismatch(row(wanted, t % DISTINCT));
                if (at >= 0) {
                    int row = (int) (at / 4);
                    return "%s, row %d, token %d of %d: %s, expected %s"
                            .formatted(
                                    w.type().label(),
                                    row,
                                    t,
                                    tokens,
                                    Float.toHexString(got.get(t, row)),
                                    Float.toHexString(wanted.get(t % DISTINCT, row)));
                }
            }
        }
        return null;
    }

    private static MemorySegment row(Tensor tensor, int row) {
        long bytes = 4L * tensor.columns();
        return tensor.memory().asSlice(row * bytes, bytes);
    }

    /** Random codes and integer scales, and float scales of either sign from one subnormal f16 to one hundredth. */
    private static PackedMatrix matrix(Arena arena, DType type, Random random) {
        MemorySegment memory = arena.allocate(type.rowBytes(STORED_COLUMNS) * ROWS);
        byte[] bytes = new byte[(int) memory.byteSize()];
        random.nextBytes(bytes);
        MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, 0, bytes.length);
        for (long block = 0; block < memory.byteSize(); block += type.blockBytes()) {
            switch (PackedFormat.of(type)) {
                case Q8_0, Q4_0, Q5_0, IQ4_NL -> scales(memory, block, 1, random);
                case Q4_1, Q5_1, Q4_K, Q5_K -> scales(memory, block, 2, random);
                case Q2_K -> scales(memory, block + 80, 2, random);
                case Q3_K -> scales(memory, block + 108, 1, random);
                case Q6_K -> scales(memory, block + 208, 1, random);
                case MXFP4 -> memory.set(ValueLayout.JAVA_BYTE, block, (byte) (110 + random.nextInt(20)));
            }
        }
        Tensor source = new Tensor(type, ROWS, STORED_COLUMNS, memory);
        return MatrixPacker.pack(arena, List.of(MatrixPacker.Rows.of(source)), FIRST_COLUMN, FIRST_COLUMN + COLUMNS, 0);
    }

    private static void scales(MemorySegment memory, long at, int count, Random random) {
        for (int i = 0; i < count; i++) {
            float value = random.nextInt(8) == 0 ? 3e-6f : (random.nextFloat() - 0.5f) / 50;
            memory.set(SHORT, at + 2L * i, Float.floatToFloat16(value));
        }
    }
}
