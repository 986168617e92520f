package dev.troupe.kernel.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.StoredElements;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products with packed weights have the bits of NUMERICS rule 2 followed on the stored bytes, wherever a chunk cuts them. */
class QuantisedProductTest {
    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(17);
    private final ReferenceKernels kernels = new ReferenceKernels();

    @ParameterizedTest
    @EnumSource
    void followsTheRuleOnTheStoredBytes(PackedFormat format) {
        Tensor source = Samples.weights(arena, format.type(), 35, 768, random);
        for (int from : new int[] {0, 5, 16, 32, 250, 256, 300}) {
            for (int columns : new int[] {1, 16, 31, 32, 33, 70, 256, 300, 468}) {
                PackedMatrix w = MatrixPacker.pack(
                        arena, List.of(new MatrixPacker.Rows(source, 1, 35)), from, from + columns, 3);
                Tensor x = Samples.floats(arena, 1, columns + 4, random);
                Tensor y = Tensor.floats(arena, 1, 34);

                kernels.matmul(w, null, x, 1, y);

                for (int r = 0; r < 34; r++) {
                    float expected = chain(source, r + 1, from, columns, x, 3);
                    assertThat(Float.floatToRawIntBits(y.get(0, r)))
                            .as("%s row %d, columns %d from %d", format, r, columns, from)
                            .isEqualTo(Float.floatToRawIntBits(expected));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void cutsSuperBlocksInChunks(PackedFormat format) {
        ReductionChunks chunks = ReductionChunks.attention(8, 8, 64);
        Tensor source = Samples.weights(arena, format.type(), 5, 512, random);
        ChunkedMatrix w = MatrixPacker.packChunks(arena, source, chunks, 2, 4);
        Tensor x = Samples.floats(arena, 1, 128, random);
        Tensor sum = Tensor.floats(arena, 1, 5);

        kernels.matmulChunks(w, x, 1, new Tensor[] {sum});

        for (int r = 0; r < 5; r++) {
            float expected = chain(source, r, 128, 64, x, 0) + chain(source, r, 192, 64, x, 64);
            assertThat(Float.floatToRawIntBits(sum.get(0, r))).isEqualTo(Float.floatToRawIntBits(expected));
        }
    }

    /** One output, by the rule's words: blocks of activations from the start, blocks of weights on the file's grid. */
    private static float chain(Tensor source, int row, int fromColumn, int columns, Tensor x, int firstX) {
        float acc = 0;
        for (int block = 0; block < columns; block += 32) {
            int end = Math.min(columns, block + 32);
            float most = 0;
            for (int k = block; k < end; k++) {
                most = Math.max(most, Math.abs(x.get(0, firstX + k)));
            }
            float s = most / 127f;
            for (int k = block; k < end; ) {
                int next = Math.min(end, k + 32 - (fromColumn + k) % 32);
                StoredElements parts = StoredElements.at(source, row, fromColumn + k);
                long weighted = 0;
                long offset = 0;
                for (; k < next; k++) {
                    StoredElements element = StoredElements.at(source, row, fromColumn + k);
                    long q = Math.clamp((long) Math.rint(x.get(0, firstX + k) / s), -127, 127);
                    weighted += q * element.scale() * element.q();
                    offset += element.min() * q;
                }
                assertThat(Math.abs(weighted)).isLessThan(1 << 24);
                acc = Math.fma((float) weighted, parts.d() * s, acc);
                if (PackedFormat.of(source.type()).offset()) {
                    acc = Math.fma((float) offset, parts.b() * s, acc);
                }
            }
        }
        return acc;
    }

    /** Against doubles on the stored values with rounded activations: what is left is the rounding of f32. */
    @ParameterizedTest
    @EnumSource
    void isAsGoodAsDoublesWithRoundedActivations(PackedFormat format) {
        DType type = format.type();
        Tensor w = Samples.weights(arena, type, 40, 512, random);
        Tensor x = Samples.floats(arena, 1, 512, random);
        Tensor y = Tensor.floats(arena, 1, 40);

        kernels.matmul(MatrixPacker.pack(arena, w), null, x, 1, y);

        double error = 0;
        double roundedError = 0;
        double size = 0;
        for (int r = 0; r < 40; r++) {
            double rounded = 0;
            double exact = 0;
            for (int block = 0; block < 512; block += 32) {
                double most = 0;
                for (int k = block; k < block + 32; k++) {
                    most = Math.max(most, Math.abs(x.get(0, k)));
                }
                for (int k = block; k < block + 32; k++) {
                    double value = Samples.value(w, r, k);
                    rounded += value * Math.rint(x.get(0, k) / (most / 127)) * (most / 127);
                    exact += value * x.get(0, k);
                }
            }
            roundedError += Math.pow(y.get(0, r) - rounded, 2);
            error += Math.pow(y.get(0, r) - exact, 2);
            size += exact * exact;
        }
        assertThat(Math.sqrt(roundedError / size)).isLessThan(2e-6);
        assertThat(Math.sqrt(error / size)).isBetween(1e-4, 2e-2);
    }
}
