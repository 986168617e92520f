package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Operations on rows have the reference's bits. */
@Tag("vector-width")
class RowBitsTest {
    private static final Backends BACKENDS = new Backends();
    private static final int[] COLUMNS = {1, 3, 15, 16, 17, 31, 32, 33, 63, 64, 70, 100, 128, 172, 2048, 2061};
    private static final int TOKENS = 7;

    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(51);

    @AfterAll
    static void close() {
        BACKENDS.close();
    }

    @Test
    void normalisesAsTheReference() {
        for (int n : COLUMNS) {
            Tensor x = Samples.floats(arena, TOKENS, n, random);
            Tensor w = Samples.floats(arena, 1, n, random);
            Tensor expected = Tensor.floats(arena, TOKENS, n);
            BACKENDS.reference.rmsNorm(x, w, 1e-5f, TOKENS, expected);
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor y = Backends.output(arena, TOKENS + 1, n);
                kernels.rmsNorm(x, w, 1e-5f, TOKENS, y);
                Backends.assertRows("rmsNorm of " + n, expected, y, TOKENS);
            }
        }
    }

    @Test
    void addsAndNormalisesAsTheReference() {
        for (int n : COLUMNS) {
            Tensor residual = Samples.floats(arena, TOKENS, n, random);
            Tensor x = Samples.floats(arena, TOKENS, n, random);
            Tensor w = Samples.floats(arena, 1, n, random);
            Tensor expectedSum = Backends.copy(arena, residual);
            Tensor expected = Tensor.floats(arena, TOKENS, n);
            BACKENDS.reference.addRmsNorm(expectedSum, x, w, 1e-6f, TOKENS, expected);
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor sum = Backends.copy(arena, residual);
                Tensor y = Backends.output(arena, TOKENS + 1, n);
                kernels.addRmsNorm(sum, x, w, 1e-6f, TOKENS, y);
                Backends.assertRows("addRmsNorm of " + n, expected, y, TOKENS);
                Backends.assertRows("residual of " + n, expectedSum, sum, TOKENS);
                kernels.add(sum, x, TOKENS - 1);
                Tensor added = Backends.copy(arena, expectedSum);
                BACKENDS.reference.add(added, x, TOKENS - 1);
                Backends.assertRows("add of " + n, added, sum, TOKENS);
                kernels.addBias(sum, w, TOKENS - 1);
                BACKENDS.reference.addBias(added, w, TOKENS - 1);
                Backends.assertRows("bias of " + n, added, sum, TOKENS);
                int[] rows = {TOKENS - 1, 0, 2};
                kernels.gatherRows(x, rows, sum);
                BACKENDS.reference.gatherRows(x, rows, added);
                Backends.assertRows("gathered " + n, added, sum, TOKENS);
            }
        }
    }

    @Test
    void normalisesHeadsAsTheReference() {
        for (int headDim : new int[] {16, 24, 64, 80, 128}) {
            Tensor x = Samples.floats(arena, TOKENS, 7 + 5 * headDim + 3, random);
            Tensor w = Samples.floats(arena, 1, headDim, random);
            Tensor expected = Backends.copy(arena, x);
            BACKENDS.reference.rmsNormHeads(expected, 7, 5, w, 1e-6f, TOKENS);
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor y = Backends.copy(arena, x);
                kernels.rmsNormHeads(y, 7, 5, w, 1e-6f, TOKENS);
                Backends.assertRows("heads of " + headDim, expected, y, TOKENS);
            }
        }
    }

    @Test
    void rotatesAsTheReference() {
        TokenBatch batch = new TokenBatch(
                new int[TOKENS], new int[] {4, 5, 6, 0, 1, 9, 3}, new int[] {0, 0, 0, 1, 1, 2, 3}, new int[4][0]);
        for (int headDim : new int[] {2, 16, 24, 64, 80, 128}) {
            Tensor x = Samples.floats(arena, TOKENS, 5 + 3 * headDim + 2, random);
            RopeTable table = new RopeTable(
                    Samples.floats(arena, 10, headDim / 2, random), Samples.floats(arena, 10, headDim / 2, random));
            Tensor expected = Backends.copy(arena, x);
            BACKENDS.reference.rope(expected, 5, 3, headDim, table, batch);
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor y = Backends.copy(arena, x);
                kernels.rope(y, 5, 3, headDim, table, batch);
                Backends.assertRows("rope of " + headDim, expected, y, TOKENS);
            }
        }
    }

    @Test
    void gatesAsTheReference() {
        for (int n : new int[] {1, 15, 17, 33, 172, 4096, 4097, 9000}) {
            Tensor gateUp = Samples.floats(arena, TOKENS, 2 * n, random);
            float[] edges = {0f, -0f, 86.9f, 87f, 87.1f, 88.73f, -88.72f, -88.73f, -200f, 200f, 1e30f, -1e30f, 1e-40f};
            for (int i = 0; i < edges.length; i++) {
                gateUp.set(i % TOKENS, i / TOKENS * (n - 1), edges[i]);
            }
            Tensor expected = Tensor.floats(arena, TOKENS, n);
            BACKENDS.reference.swiglu(gateUp, TOKENS, expected);
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor y = Backends.output(arena, TOKENS + 1, n);
                kernels.swiglu(gateUp, TOKENS, y);
                Backends.assertRows("swiglu of " + n, expected, y, TOKENS);
            }
        }
    }

    @Test
    void keepsANotANumberWhateverItsPayload() {
        for (int payload : new int[] {0x7fc00000, 0x7fc00001, 0xffc001ff, 0x7f8000ff}) {
            Tensor gateUp = Samples.floats(arena, 1, 64, random);
            gateUp.set(0, 3, Float.intBitsToFloat(payload));
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor gated = Tensor.floats(arena, 1, 32);
                Tensor weighed = Tensor.floats(arena, 1, 64);
                kernels.swiglu(gateUp, 1, gated);
                kernels.softmax(gateUp, 1, weighed);
                assertThat(gated.get(0, 3)).isNaN();
                assertThat(weighed.get(0, 60)).isNaN();
            }
        }
    }

    @Test
    void weighsAsTheReference() {
        for (int n : COLUMNS) {
            Tensor x = Samples.floats(arena, TOKENS, n, random);
            x.set(1, n / 2, -100f);
            x.set(2, n - 1, 60f);
            x.set(3, 0, Float.NEGATIVE_INFINITY);
            x.set(3, n - 1, 1f);
            Tensor expected = Tensor.floats(arena, TOKENS, n);
            BACKENDS.reference.softmax(x, TOKENS, expected);
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor y = Backends.output(arena, TOKENS + 1, n);
                kernels.softmax(x, TOKENS, y);
                Backends.assertRows("softmax of " + n, expected, y, TOKENS);
            }
        }
    }

    @Test
    void findsWhatTheReferenceFinds() {
        for (int n : COLUMNS) {
            Tensor x = Tensor.floats(arena, TOKENS, n);
            for (int t = 0; t < TOKENS; t++) {
                for (int i = 0; i < n; i++) {
                    x.set(t, i, random.nextInt(20) - (t == 6 ? 30 : 10)); // many ties, also below zero
                }
            }
            int[] expected = new int[TOKENS];
            int[] expectedTop = new int[Math.min(n, 9)];
            BACKENDS.reference.argmax(x, TOKENS, expected);
            BACKENDS.reference.topK(x, 5, expectedTop);
            for (VectorKernels kernels : BACKENDS.vector) {
                int[] actual = new int[TOKENS];
                int[] actualTop = new int[expectedTop.length];
                kernels.argmax(x, TOKENS, actual);
                kernels.topK(x, 5, actualTop);
                assertThat(actual).isEqualTo(expected);
                assertThat(actualTop).isEqualTo(expectedTop);
            }
        }
    }

    @Test
    void marksTheRowsThatTheReferenceMarks() {
        for (int n : COLUMNS) {
            Tensor x = Samples.floats(arena, TOKENS, n, random);
            x.set(0, n - 1, Float.NaN);
            x.set(2, 0, Float.NEGATIVE_INFINITY);
            x.set(3, n / 2, Float.MAX_VALUE);
            x.set(5, n / 3, Float.POSITIVE_INFINITY);
            for (VectorKernels kernels : BACKENDS.vector) {
                TokenFlags actual = TokenFlags.onHost();
                kernels.markNonFinite(x, TOKENS, actual);
                kernels.markNonFinite(x, 1, actual);
                assertThat(actual.marked().stream()).containsExactly(0, 2, 5);
            }
        }
    }

    @Test
    void looksUpWhatTheReferenceLooksUp() {
        for (DType type : DType.values()) {
            Tensor table = Samples.weights(arena, type, 50, 256, random);
            TokenBatch batch = new TokenBatch(
                    new int[] {49, 0, 7, 7, 12, 3, 1}, new int[] {0, 1, 2, 3, 4, 5, 6}, new int[TOKENS], new int[1][0]);
            Tensor expected = Tensor.floats(arena, TOKENS, 256);
            BACKENDS.reference.embed(table, batch, expected);
            for (VectorKernels kernels : BACKENDS.vector) {
                Tensor y = Backends.output(arena, TOKENS + 1, 256);
                kernels.embed(table, batch, y);
                Backends.assertRows("embed of " + type.label(), expected, y, TOKENS);
            }
        }
    }
}
