package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.quantised.PackedBlocks;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.quantised.StoredBlocks;
import dev.troupe.kernel.quantised.WeightBlock;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MatrixPackerTest {
    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(7);

    @Test
    void putsRowsOfFloatsSideBySide() {
        Tensor source = Samples.weights(arena, DType.F32, 40, 70, random);

        PackedMatrix packed = MatrixPacker.pack(arena, source);

        assertThat(packed.groups()).isEqualTo(2);
        assertThat(packed.groupBytes()).isEqualTo(70 * 128);
        for (int row : new int[] {0, 1, 31, 32, 39}) {
            for (int k : new int[] {0, 1, 63, 64, 69}) {
                long at = row / 32 * 70L * 128L + k * 128L + row % 32 * 4L;
                assertThat((double) packed.memory().get(ValueLayout.JAVA_FLOAT_UNALIGNED, at))
                        .isEqualTo(Samples.value(source, row, k));
            }
        }
    }

    @Test
    void pairsHalvesOfRowsThatAreSixteenApart() {
        for (DType type : List.of(DType.BF16, DType.F16)) {
            Tensor source = Samples.weights(arena, type, 64, 70, random);

            PackedMatrix packed = MatrixPacker.pack(arena, source);

            for (int row : new int[] {0, 15, 16, 31, 32, 50}) {
                for (int k : new int[] {0, 1, 64, 69}) {
                    int pair = packed.memory()
                            .get(
                                    ValueLayout.JAVA_INT_UNALIGNED,
                                    row / 32 * packed.groupBytes() + 64L * k + row % 16 * 4L);
                    short half = (short) (row % 32 < 16 ? pair : pair >> 16);
                    assertThat(half)
                            .isEqualTo(source.memory().get(ValueLayout.JAVA_SHORT_UNALIGNED, row * 140L + 2L * k));
                }
            }
        }
    }

    @Test
    void cutsQuantisedBlocksWhereAChunkStarts() {
        Tensor source = Samples.weights(arena, DType.Q8_0, 33, 96, random);

        PackedMatrix packed = MatrixPacker.pack(arena, List.of(MatrixPacker.Rows.of(source)), 24, 80, 5);

        // activation blocks start at 24 and 56, weight blocks at 32 and 64
        assertThat(packed.firstColumn()).isEqualTo(5);
        assertThat(packed.pieces().count()).isEqualTo(4);
        int[] starts = {24, 32, 56, 64, 80};
        for (int piece = 0; piece < 4; piece++) {
            assertThat(packed.pieces().start(piece)).isEqualTo(starts[piece] - 24);
            assertThat(packed.pieces().length(piece)).isEqualTo(starts[piece + 1] - starts[piece]);
            assertThat(packed.pieces().position(piece)).isEqualTo(starts[piece] % 32);
            for (int row : new int[] {0, 17, 31, 32}) {
                long at = row / 32 * packed.groupBytes() + 1088L * piece;
                short scale =
                        packed.memory().get(ValueLayout.JAVA_SHORT_UNALIGNED, at + row % 16 * 4L + row % 32 / 16 * 2L);
                for (int k = 0; k < 32; k++) {
                    byte q = packed.memory().get(ValueLayout.JAVA_BYTE, at + 64 + 32L * k + row % 32);
                    double expected = Samples.value(source, row, starts[piece] / 32 * 32 + k);
                    assertThat((double) Float.float16ToFloat(scale) * q).isEqualTo(expected);
                }
            }
        }
    }

    @Test
    void keepsTheScalesOfASuperBlockOnce() {
        Tensor source = Samples.weights(arena, DType.Q4_K, 33, 512, random);

        PackedMatrix packed = MatrixPacker.pack(arena, List.of(MatrixPacker.Rows.of(source)), 192, 320, 0);

        assertThat(packed.groupBytes()).isEqualTo(2 * 128 + 4 * 576);
        assertThat(packed.pieces().runs()).isEqualTo(2);
        for (int piece = 0; piece < 4; piece++) {
            int row = 32;
            long block = row * 288L + (piece < 2 ? 0 : 144);
            long scales = packed.groupBytes() + (piece < 2 ? 0 : 128 + 2 * 576);
            assertThat(packed.scaleOffset(1, piece)).isEqualTo(scales);
            assertThat(packed.pieceOffset(1, piece)).isEqualTo(scales + 128 + piece % 2 * 576L);
            assertThat(packed.memory().get(ValueLayout.JAVA_SHORT_UNALIGNED, scales))
                    .isEqualTo(source.memory().get(ValueLayout.JAVA_SHORT_UNALIGNED, block));
        }
    }

    @ParameterizedTest
    @EnumSource
    void changesNoBlockWhereverItsRowComesToLie(PackedFormat format) {
        Tensor first = Samples.weights(arena, format.type(), 47, 512, random);
        Tensor second = Samples.weights(arena, format.type(), 40, 512, random);

        PackedMatrix packed = MatrixPacker.pack(
                arena, List.of(new MatrixPacker.Rows(first, 3, 46), new MatrixPacker.Rows(second, 1, 38)), 224, 480, 0);

        WeightBlock expected = new WeightBlock(format.type());
        WeightBlock moved = new WeightBlock(format.type());
        for (int row = 0; row < 43 + 37; row++) {
            Tensor source = row < 43 ? first : second;
            long bytes = format.type().rowBytes(512);
            for (int piece = 0; piece < packed.pieces().count(); piece++) {
                StoredBlocks.read(source.memory(), bytes * (row < 43 ? row + 3 : row - 42), 7 + piece, expected);
                long scales = packed.scaleOffset(row / 32, piece);
                PackedBlocks.read(packed.memory(), scales, packed.pieceOffset(row / 32, piece), row % 32, moved);
                for (int k = 0; k < 32; k++) {
                    assertThat(moved.value(k)).isEqualTo(expected.value(k));
                }
            }
        }
    }

    @Test
    void stacksRowsOfSeveralMatrices() {
        Tensor queries = Samples.weights(arena, DType.F32, 64, 8, random);
        Tensor keys = Samples.weights(arena, DType.F32, 32, 8, random);

        PackedMatrix packed = MatrixPacker.pack(
                arena, List.of(new MatrixPacker.Rows(queries, 10, 50), new MatrixPacker.Rows(keys, 4, 8)));

        assertThat(packed.rows()).isEqualTo(44);
        assertThat(float32(packed, 0, 3)).isEqualTo(Samples.value(queries, 10, 3));
        assertThat(float32(packed, 39, 3)).isEqualTo(Samples.value(queries, 49, 3));
        assertThat(float32(packed, 40, 3)).isEqualTo(Samples.value(keys, 4, 3));
        assertThat(float32(packed, 43, 7)).isEqualTo(Samples.value(keys, 7, 7));
        assertThat(float32(packed, 44, 7)).isZero();
    }

    @Test
    void givesARankItsOwnChunks() {
        ReductionChunks chunks = ReductionChunks.attention(8, 4, 24);
        Tensor source = Samples.weights(arena, DType.F32, 5, 192, random);

        ChunkedMatrix packed = MatrixPacker.packChunks(arena, source, chunks, 1, 3);

        assertThat(packed.fromGroup()).isEqualTo(1);
        assertThat(packed.toGroup()).isEqualTo(3);
        assertThat(packed.nodes()).containsExactly(new SumTree.Node(1, 2), new SumTree.Node(2, 3));
        assertThat(packed.chunks()).hasSize(4);
        assertThat(packed.chunks().get(3).firstColumn()).isEqualTo(72);
        assertThat(float32(packed.chunks().get(3), 2, 5)).isEqualTo(Samples.value(source, 2, 48 + 72 + 5));
    }

    @Test
    void refusesAWeightThatIsNotFinite() {
        Tensor halves = Samples.weights(arena, DType.F16, 3, 70, random);
        halves.memory().set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * (2 * 70 + 69), (short) 0x7c00);
        Tensor blocks = Samples.weights(arena, DType.Q8_0, 3, 64, random);
        blocks.memory().set(ValueLayout.JAVA_SHORT_UNALIGNED, 68 + 34, (short) 0xfe00);

        assertThatThrownBy(() -> MatrixPacker.pack(arena, halves))
                .hasMessage("the weight of f16[3, 70] at row 2, column 69 is not finite; the model cannot be run");
        assertThatThrownBy(() -> MatrixPacker.pack(arena, blocks))
                .hasMessage("the scale of q8_0[3, 64] at row 1, column 32 is not finite; the model cannot be run");
    }

    @Test
    void refusesMatricesThatDoNotMatch() {
        Tensor a = Samples.weights(arena, DType.F32, 3, 32, random);
        Tensor b = Samples.weights(arena, DType.BF16, 3, 32, random);

        assertThatThrownBy(() -> MatrixPacker.pack(arena, List.of(MatrixPacker.Rows.of(a), MatrixPacker.Rows.of(b))))
                .hasMessage("cannot pack f32[3, 32] and bf16[3, 32] together: type and columns must be equal");
        assertThatThrownBy(() -> MatrixPacker.packChunks(arena, a, ReductionChunks.attention(4, 2, 16), 0, 2))
                .hasMessage("the chunks have 64 columns, the matrix is f32[3, 32]");
    }

    private static double float32(PackedMatrix packed, int row, int k) {
        return packed.memory()
                .get(ValueLayout.JAVA_FLOAT_UNALIGNED, row / 32 * packed.groupBytes() + 128L * k + row % 32 * 4L);
    }
}
