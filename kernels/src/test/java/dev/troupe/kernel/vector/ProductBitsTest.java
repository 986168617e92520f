package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Products of the vector kernels have the bits of the reference's, for every type, odd sizes and any batch. */
@Tag("vector-width")
class ProductBitsTest {
    private static final Backends BACKENDS = new Backends();

    /** The first tokens of the largest batch make the smaller ones, so a token's bits must not depend on its batch. */
    private static final int[] TOKENS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 17, 70};

    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(31);

    @AfterAll
    static void close() {
        BACKENDS.close();
    }

    @Test
    void runsAtTheWidthThatWasAskedFor() {
        String forced = System.getProperty("troupe.vector-bits");

        assertThat(forced == null || VectorKernels.vectorBits() == Integer.parseInt(forced))
                .isTrue();
        assertThat(BACKENDS.vector.get(1).description())
                .isEqualTo("CPU, Vector API with %d bits, 2 threads".formatted(VectorKernels.vectorBits()));
    }

    @Test
    void comparesNativeProductsToo() {
        assumeThat(NativeProducts.refusal()).as("native products run here").isNull();

        assertThat(BACKENDS.vector)
                .extracting(VectorKernels::description)
                .contains("CPU, Vector API with %d bits and native products, 3 threads"
                        .formatted(VectorKernels.vectorBits()));
    }

    @Test
    void equalsTheReferenceForOddRows() {
        for (DType type : DType.values()) {
            for (int rows : new int[] {1, 31, 32, 33, 64, 100, 129, 260}) {
                assertProduct(type, rows, 45, 70);
            }
        }
    }

    @Test
    void equalsTheReferenceForOddColumns() {
        for (DType type : DType.values()) {
            for (int columns = 1; columns <= 70; columns += columns < 34 ? 1 : 3) {
                assertProduct(type, 40, columns, 17);
            }
            assertProduct(type, 40, 172, 17);
            assertProduct(type, 70, 1024, 9);
            assertProduct(type, 70, 1061, 9);
            assertProduct(type, 33, 2100, 9);
        }
    }

    @Test
    void equalsTheReferenceForMoreTokensThanGoTogether() {
        for (DType type : DType.values()) {
            assertProduct(type, 40, 37, 490);
        }
    }

    /** Columns from the middle of a wider matrix, so that quantised blocks are cut, and of wider activations. */
    private void assertProduct(DType type, int rows, int columns, int tokens) {
        int block = Math.max(32, type.blockSize());
        Tensor source = Samples.weights(arena, type, rows, Math.ceilDiv(columns + 5, block) * block, random);
        PackedMatrix w = MatrixPacker.pack(arena, List.of(MatrixPacker.Rows.of(source)), 5, 5 + columns, 3);
        Tensor x = Samples.floats(arena, tokens, columns + 4, random);
        zeroBlock(x, tokens > 2 ? 2 : 0, 3 + columns / 64 * 32, Math.min(32, columns));
        @Nullable Tensor bias = random.nextBoolean() ? Samples.floats(arena, 1, rows, random) : null;
        Tensor expected = Tensor.floats(arena, tokens, rows);
        BACKENDS.reference.matmul(w, bias, x, tokens, expected);
        for (int count : TOKENS) {
            compare(w, bias, x, Math.min(count, tokens), expected);
        }
        compare(w, bias, x, tokens, expected);
    }

    private void compare(PackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor expected) {
        for (VectorKernels kernels : BACKENDS.vector) {
            Tensor y = Backends.output(arena, tokens + 1, w.rows());
            kernels.matmul(w, bias, x, tokens, y);
            String what = "%s[%d, %d], %d tokens, %s"
                    .formatted(w.type().label(), w.rows(), w.columns(), tokens, kernels.description());
            Backends.assertRows(what, expected, y, tokens);
        }
    }

    /** Parts end within a group of rows. */
    @Test
    void multipliesPartsOfOtherTypesBelowEachOther() {
        Tensor x = Samples.floats(arena, 6, 256, random);
        for (DType[] types : new DType[][] {{DType.Q4_K, DType.Q6_K}, {DType.F16, DType.Q8_0, DType.F32}}) {
            List<PackedMatrix> parts = new ArrayList<>();
            for (DType type : types) {
                parts.add(MatrixPacker.pack(arena, Samples.weights(arena, type, 40 + 7 * parts.size(), 256, random)));
            }
            StackedMatrix stacked = new StackedMatrix(parts);
            Tensor bias = Samples.floats(arena, 1, stacked.rows(), random);
            for (int tokens : new int[] {1, 6}) {
                Tensor y = Backends.output(arena, tokens + 1, stacked.rows());
                BACKENDS.reference.matmul(stacked, bias, x, tokens, y);
                for (int part = 0, row = 0;
                        part < types.length;
                        row += parts.get(part++).rows()) {
                    assertPart(parts.get(part), bias, x, tokens, y, row);
                }
                for (VectorKernels kernels : BACKENDS.vector) {
                    Tensor actual = Backends.output(arena, tokens + 1, stacked.rows());
                    kernels.matmul(stacked, bias, x, tokens, actual);
                    Backends.assertRows(List.of(types) + ", " + kernels.description(), y, actual, tokens);
                }
            }
        }
    }

    /** Rows from {@code row} of {@code y} are those of {@code part} alone. */
    private void assertPart(PackedMatrix part, Tensor bias, Tensor x, int tokens, Tensor y, int row) {
        Tensor alone = Tensor.floats(arena, tokens, part.rows());
        BACKENDS.reference.matmul(part, null, x, tokens, alone);
        for (int t = 0; t < tokens; t++) {
            for (int r = 0; r < part.rows(); r++) {
                assertThat(y.get(t, row + r)).isEqualTo(alone.get(t, r) + bias.get(0, row + r));
            }
        }
    }

    private static void zeroBlock(Tensor x, int row, int from, int count) {
        for (int k = from; k < Math.min(x.columns(), from + count); k++) {
            x.set(row, k, 0f);
        }
    }

    @Test
    void addsChunksByTheReferencesTree() {
        for (DType type : DType.values()) {
            if (type.blockSize() > 32) {
                continue;
            }
            assertChunks(type, ReductionChunks.attention(8, 4, 24), 0, 4, 40);
            assertChunks(type, ReductionChunks.attention(8, 4, 24), 1, 4, 33);
            assertChunks(type, ReductionChunks.attention(20, 20, 16), 3, 20, 31);
            assertChunks(type, ReductionChunks.attention(28, 4, 16), 1, 3, 100);
            assertChunks(type, ReductionChunks.attention(32, 1, 16), 0, 1, 130);
            assertChunks(type, ReductionChunks.feedForward(8, 4, 160), 0, 4, 40);
            assertChunks(type, ReductionChunks.feedForward(8, 4, 160), 2, 3, 40);
            assertChunks(type, ReductionChunks.feedForward(8, 8, 64), 0, 8, 40);
            assertChunks(type, ReductionChunks.feedForward(7, 7, 1120), 2, 7, 40);
        }
        assertChunks(DType.F32, ReductionChunks.feedForward(8, 4, 172), 0, 4, 64);
        assertChunks(DType.BF16, ReductionChunks.attention(5, 5, 80), 0, 5, 200);
    }

    @Test
    void addsChunksThatCutSuperBlocks() {
        for (DType type : DType.values()) {
            assertChunks(type, ReductionChunks.attention(8, 4, 32), 0, 4, 40);
            assertChunks(type, ReductionChunks.attention(16, 16, 48), 3, 16, 33);
            assertChunks(type, ReductionChunks.attention(28, 4, 64), 1, 3, 130);
            assertChunks(type, ReductionChunks.attention(4, 1, 64), 0, 1, 31);
            assertChunks(type, ReductionChunks.feedForward(8, 4, 256), 2, 3, 40);
            assertChunks(type, ReductionChunks.feedForward(8, 8, 768), 0, 8, 100);
            assertChunks(type, ReductionChunks.feedForward(7, 7, 1792), 2, 7, 40);
        }
    }

    private void assertChunks(DType type, ReductionChunks chunks, int fromGroup, int toGroup, int rows) {
        int tokens = 17;
        Tensor source = Samples.weights(arena, type, rows, chunks.groupStart(chunks.groups()), random);
        ChunkedMatrix w = MatrixPacker.packChunks(arena, source, chunks, fromGroup, toGroup);
        Tensor x = Samples.floats(arena, tokens, chunks.columns(fromGroup, toGroup), random);
        Tensor[] expected = outputs(w.nodes().size(), tokens, rows);
        BACKENDS.reference.matmulChunks(w, x, tokens, expected);
        for (int count : new int[] {1, 3, 5, 7, 17}) {
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor[] actual = outputs(w.nodes().size(), tokens, rows);
                kernels.matmulChunks(w, x, count, actual);
                for (int n = 0; n < actual.length; n++) {
                    String what = "%s, groups %d to %d of %d, node %d, %d tokens, %s"
                            .formatted(
                                    type.label(), fromGroup, toGroup, chunks.groups(), n, count, kernels.description());
                    Backends.assertRows(what, expected[n], actual[n], count);
                }
            }
        }
    }

    private Tensor[] outputs(int count, int tokens, int rows) {
        Tensor[] tensors = new Tensor[count];
        for (int n = 0; n < count; n++) {
            tensors[n] = Backends.output(arena, tokens, rows);
        }
        return tensors;
    }

    /** Codes and integer scales at both ends with the largest activations: sums near 2^24 in the formats that reach it. */
    @Test
    void staysExactAtTheLargestSums() {
        for (PackedFormat format : PackedFormat.values()) {
            for (int pattern : new int[] {0, 0x7f, 0x80, 0xff}) {
                Tensor source = Samples.weights(arena, format.type(), 33, 256, random);
                long blockBytes = format.type().blockBytes();
                source.memory().fill((byte) pattern);
                for (long block = 0; block < source.memory().byteSize(); block += blockBytes) {
                    extreme(source.memory().asSlice(block, blockBytes), format);
                }
                Tensor x = Tensor.floats(arena, 6, 256);
                for (int k = 0; k < 256; k++) {
                    x.set(0, k, 1f);
                    x.set(5, k, -1f);
                }
                PackedMatrix w = MatrixPacker.pack(arena, source);
                Tensor expected = Tensor.floats(arena, 6, 33);
                BACKENDS.reference.matmul(w, null, x, 6, expected);
                compare(w, null, x, 1, expected);
                compare(w, null, x, 6, expected);
            }
        }
    }

    /** Scales of 1 over whatever pattern the block has; q6_k's integer scales −128, so that code 0 gives the largest sum. */
    private static void extreme(MemorySegment block, PackedFormat format) {
        short one = Float.floatToFloat16(1f);
        switch (format) {
            case MXFP4 -> block.set(ValueLayout.JAVA_BYTE, 0, (byte) 128);
            case Q3_K -> block.set(ValueLayout.JAVA_SHORT_UNALIGNED, 108, one);
            case Q6_K -> {
                block.asSlice(192, 16).fill((byte) -128);
                block.set(ValueLayout.JAVA_SHORT_UNALIGNED, 208, one);
            }
            case Q2_K -> {
                block.set(ValueLayout.JAVA_SHORT_UNALIGNED, 80, one);
                block.set(ValueLayout.JAVA_SHORT_UNALIGNED, 82, one);
            }
            default -> {
                block.set(ValueLayout.JAVA_SHORT_UNALIGNED, 0, one);
                if (format.offset()) {
                    block.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2, one);
                }
            }
        }
    }

    @Test
    void roundsActivationsAsTheReferenceAtTheEdges() {
        for (DType type : DType.values()) {
            if (type.quantised()) {
                assertRounding(type);
            }
        }
    }

    private void assertRounding(DType type) {
        Tensor source = Samples.weights(arena, type, 34, 256, random);
        PackedMatrix w = MatrixPacker.pack(arena, List.of(MatrixPacker.Rows.of(source)), 0, 64, 0);
        Tensor x = Samples.floats(arena, 6, 64, random);
        for (int k = 0; k < 64; k++) {
            x.set(0, k, 0f);
            x.set(1, k, (k % 7 - 3) * Float.MIN_VALUE * 60); // s is one least step: both clamps
            x.set(2, k, (k % 5 - 2) * 1.7e38f);
            x.set(3, k, k == 40 ? 127f : k + 0.5f);
            x.set(4, k, -0f);
        }
        Tensor expected = Tensor.floats(arena, 6, 34);

        BACKENDS.reference.matmul(w, null, x, 6, expected);

        compare(w, null, x, 1, expected);
        compare(w, null, x, 6, expected);
    }
}
