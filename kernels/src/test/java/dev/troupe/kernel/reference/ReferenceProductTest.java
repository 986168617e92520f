package dev.troupe.kernel.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.Samples;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ReferenceProductTest {
    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(11);
    private final ReferenceKernels kernels = new ReferenceKernels();

    @Test
    void multipliesFloatTypesAsDoublesDo() {
        for (DType type : List.of(DType.F32, DType.BF16, DType.F16)) {
            Tensor w = Samples.weights(arena, type, 37, 53, random);
            Tensor x = Samples.floats(arena, 3, 53, random);
            Tensor bias = Samples.floats(arena, 1, 37, random);
            Tensor y = Tensor.floats(arena, 3, 37);

            kernels.matmul(MatrixPacker.pack(arena, w), bias, x, 3, y);

            for (int t = 0; t < 3; t++) {
                for (int r = 0; r < 37; r++) {
                    double expected = bias.get(0, r);
                    for (int k = 0; k < 53; k++) {
                        expected += Samples.value(w, r, k) * x.get(t, k);
                    }
                    assertThat((double) y.get(t, r)).isCloseTo(expected, within(2e-6));
                }
            }
        }
    }

    @Test
    void sumsInTheOrderOfTheColumns() {
        Tensor w = Samples.row(arena, 1e8f, 1f, -1e8f, 3f);
        Tensor x = Samples.row(arena, 1f, 1f, 1f, 1f);
        Tensor y = Tensor.floats(arena, 1, 1);

        kernels.matmul(MatrixPacker.pack(arena, w), null, x, 1, y);

        assertThat(y.get(0, 0)).isEqualTo(3f);
    }

    @Test
    void roundsActivationsPerBlockForQuantisedWeights() {
        float[] x = new float[34];
        x[0] = 127f * 2;
        x[1] = 3f; // 1.5 rounds to 2
        x[2] = 5f; // 2.5 rounds to 2
        x[3] = -5.1f; // -2.55 rounds to -3
        x[32] = -1f; // a block of its own: -127 times 1/127
        RoundedActivations rounded = RoundedActivations.of(x);

        assertThat(rounded.scales()).containsExactly(2f, 1f / 127f);
        assertThat(rounded.values()[0]).isEqualTo(127f);
        assertThat(rounded.values()[1]).isEqualTo(2f);
        assertThat(rounded.values()[2]).isEqualTo(2f);
        assertThat(rounded.values()[3]).isEqualTo(-3f);
        assertThat(rounded.values()[32]).isEqualTo(-127f);
    }

    @Test
    void keepsEveryRoundedActivationInsideAByte() {
        float tiny = Float.MIN_VALUE;
        RoundedActivations subnormal = RoundedActivations.of(new float[] {190 * tiny, -190 * tiny, tiny});
        RoundedActivations zero = RoundedActivations.of(new float[] {0f, -0f});
        RoundedActivations vanishing = RoundedActivations.of(new float[] {7 * tiny});

        assertThat(subnormal.scales()).containsExactly(tiny);
        assertThat(subnormal.values()).containsExactly(127f, -127f, 1f);
        assertThat(zero.values()).containsExactly(0f, 0f);
        assertThat(vanishing.scales()).containsExactly(0f);
        assertThat(vanishing.values()).containsExactly(0f);
    }

    @Test
    void passesValuesThatAreNotFiniteOn() {
        for (DType type : DType.values()) {
            Tensor w = Samples.weights(arena, type, 4, 256, random);
            Tensor x = Samples.floats(arena, 2, 256, random);
            x.set(0, 40, Float.NaN);
            x.set(1, 3, Float.POSITIVE_INFINITY);
            Tensor y = Tensor.floats(arena, 2, 4);

            kernels.matmul(MatrixPacker.pack(arena, w), null, x, 2, y);

            assertThat(y.get(0, 2)).isNaN();
            assertThat(Float.isFinite(y.get(1, 2))).isFalse();
        }
    }

    @Test
    void multipliesQuantisedWeightsAsDoublesDoWithRoundedActivations() {
        Tensor w = Samples.weights(arena, DType.Q8_0, 40, 96, random);
        Tensor x = Samples.floats(arena, 2, 96, random);
        Tensor y = Tensor.floats(arena, 2, 40);

        kernels.matmul(MatrixPacker.pack(arena, w), null, x, 2, y);

        for (int t = 0; t < 2; t++) {
            double[] rounded = rounded(x, t, 0, 96);
            for (int r = 0; r < 40; r++) {
                double expected = 0;
                for (int k = 0; k < 96; k++) {
                    expected += Samples.value(w, r, k) * rounded[k];
                }
                assertThat((double) y.get(t, r)).isCloseTo(expected, within(1e-5));
            }
        }
    }

    @Test
    void addsChunksToTheWholeForEveryType() {
        for (DType type : DType.values()) {
            int width = type.blockSize() > 32 ? 96 : 24; // 8 chunks must fill whole blocks
            ReductionChunks chunks = ReductionChunks.attention(8, 4, width);
            Tensor w = Samples.weights(arena, type, 33, 8 * width, random);
            Tensor x = Samples.floats(arena, 2, 6 * width, random);
            ChunkedMatrix packed = MatrixPacker.packChunks(arena, w, chunks, 1, 4);
            Tensor[] sums = {Tensor.floats(arena, 2, 33), Tensor.floats(arena, 2, 33)};

            kernels.matmulChunks(packed, x, 2, sums);

            for (int t = 0; t < 2; t++) {
                for (int r = 0; r < 33; r++) {
                    assertThat((double) sums[0].get(t, r)).isCloseTo(chunkSum(w, x, t, r, 0, 2, width), within(1e-5));
                    assertThat((double) sums[1].get(t, r)).isCloseTo(chunkSum(w, x, t, r, 2, 6, width), within(1e-5));
                }
            }
        }
    }

    /** Chunks of {@code width} columns from the third chunk of w. */
    private static double chunkSum(Tensor w, Tensor x, int token, int row, int fromChunk, int toChunk, int width) {
        double sum = 0;
        for (int c = fromChunk; c < toChunk; c++) {
            double[] values = new double[width];
            for (int k = 0; k < width; k++) {
                values[k] = x.get(token, width * c + k);
            }
            if (w.type().quantised()) {
                values = rounded(x, token, width * c, width);
            }
            for (int k = 0; k < width; k++) {
                sum += Samples.value(w, row, width * (c + 2) + k) * values[k];
            }
        }
        return sum;
    }

    private static double[] rounded(Tensor x, int token, int from, int columns) {
        double[] values = new double[columns];
        for (int block = 0; block < columns; block += 32) {
            int end = Math.min(columns, block + 32);
            float most = 0;
            for (int k = block; k < end; k++) {
                most = Math.max(most, Math.abs(x.get(token, from + k)));
            }
            float s = most / 127;
            for (int k = block; k < end; k++) {
                values[k] = Math.rint(x.get(token, from + k) / s) * (double) s;
            }
        }
        return values;
    }

    @Test
    void sumsChunksByTheTree() {
        // eight KV heads of one head of one column: chunk i is column i
        ReductionChunks chunks = ReductionChunks.attention(8, 8, 1);
        Tensor w = Samples.row(arena, 1e8f, 1f, -1e8f, 1f, 5f, 6f, 7f, 8f);
        Tensor x = Samples.row(arena, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f);
        Tensor whole = Tensor.floats(arena, 1, 1);
        Tensor left = Tensor.floats(arena, 1, 1);
        Tensor right = Tensor.floats(arena, 1, 1);

        kernels.matmulChunks(MatrixPacker.packChunks(arena, w, chunks, 0, 8), x, 1, new Tensor[] {whole});
        kernels.matmulChunks(MatrixPacker.packChunks(arena, w, chunks, 0, 6), x, 1, new Tensor[] {left, right});

        // ((1e8 + 1) + (-1e8 + 1)) is 0 in f32; a running sum would give 1
        assertThat(left.get(0, 0)).isZero();
        assertThat(right.get(0, 0)).isEqualTo(11f);
        assertThat(whole.get(0, 0)).isEqualTo(26f);
    }

    @Test
    void takesAnEmptyChunkAsZero() {
        ReductionChunks chunks = ReductionChunks.feedForward(8, 4, 172);
        Tensor w = Samples.weights(arena, DType.F32, 3, 172, random);
        Tensor x = Samples.floats(arena, 1, 172, random);
        Tensor[] sums = {Tensor.floats(arena, 1, 3)};

        kernels.matmulChunks(MatrixPacker.packChunks(arena, w, chunks, 0, 4), x, 1, sums);

        double expected = 0;
        for (int k = 0; k < 172; k++) {
            expected += Samples.value(w, 1, k) * x.get(0, k);
        }
        assertThat((double) sums[0].get(0, 1)).isCloseTo(expected, within(1e-5));
    }

    @Test
    void looksEmbeddingsUpInEveryType() {
        for (DType type : DType.values()) {
            Tensor table = Samples.weights(arena, type, 9, 256, random);
            Tensor y = Tensor.floats(arena, 2, 256);

            kernels.embed(table, ReferenceAttentionTest.batch(new int[] {8, 3}, 0), y);

            for (int k = 0; k < 256; k++) {
                assertThat(y.get(0, k)).isEqualTo((float) Samples.value(table, 8, k));
                assertThat(y.get(1, k)).isEqualTo((float) Samples.value(table, 3, k));
            }
        }
    }

    @Test
    void refusesShapesThatDoNotFit() {
        Tensor w = Samples.weights(arena, DType.F32, 3, 32, random);
        Tensor x = Tensor.floats(arena, 2, 31);
        Tensor y = Tensor.floats(arena, 2, 3);

        assertThatThrownBy(() -> kernels.matmul(MatrixPacker.pack(arena, w), null, x, 2, y))
                .hasMessage("matmul: w=f32[3, 32] from column 0, bias=null, x=f32[2, 31], tokens=2, y=f32[2, 3] do not"
                        + " fit together");
        assertThatThrownBy(() ->
                        kernels.embed(w, ReferenceAttentionTest.batch(new int[] {3}, 0), Tensor.floats(arena, 1, 32)))
                .hasMessage("embed: token 0 has id=3, the table has 3 rows");
        assertThat(y.memory().get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0)).isZero();
    }
}
