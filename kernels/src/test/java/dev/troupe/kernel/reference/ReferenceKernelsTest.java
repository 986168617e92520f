package dev.troupe.kernel.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ReferenceKernelsTest {
    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(23);
    private final ReferenceKernels kernels = new ReferenceKernels();

    @Test
    void normalisesRowsAsDoublesDo() {
        Tensor x = Samples.floats(arena, 3, 70, random);
        Tensor w = Samples.floats(arena, 1, 70, random);
        Tensor y = Tensor.floats(arena, 3, 70);

        kernels.rmsNorm(x, w, 1e-5f, 3, y);

        for (int t = 0; t < 3; t++) {
            double squares = 0;
            for (int i = 0; i < 70; i++) {
                squares += (double) x.get(t, i) * x.get(t, i);
            }
            for (int i = 0; i < 70; i++) {
                double expected = x.get(t, i) / Math.sqrt(squares / 70 + 1e-5) * w.get(0, i);
                assertThat((double) y.get(t, i)).isCloseTo(expected, within(1e-6));
            }
        }
    }

    @Test
    void sumsSquaresInThirtyTwoLanes() {
        // lane 0 holds 2^24, to which a running sum could add no 1; every other lane holds nine of them
        float[] x = new float[32 * 9];
        for (int i = 0; i < x.length; i++) {
            x[i] = i % 32 == 0 ? 0f : 1f;
        }
        x[0] = 4096f;
        Tensor y = Tensor.floats(arena, 1, x.length);

        kernels.rmsNorm(Samples.row(arena, x), ones(x.length), 0f, 1, y);

        // 2^24 + 9 is 2^24 + 8, then 18, 36, 72 and 144 are added
        float mean = (16777216f + 278f) / x.length;
        assertThat(y.get(0, 0)).isEqualTo(4096f * (1f / (float) Math.sqrt(mean)));
    }

    @Test
    void addsBeforeItNormalises() {
        Tensor residual = Samples.floats(arena, 2, 40, random);
        Tensor x = Samples.floats(arena, 2, 40, random);
        Tensor w = Samples.floats(arena, 1, 40, random);
        Tensor sum = Tensor.floats(arena, 2, 40);
        for (int t = 0; t < 2; t++) {
            for (int i = 0; i < 40; i++) {
                sum.set(t, i, residual.get(t, i) + x.get(t, i));
            }
        }
        Tensor expected = Tensor.floats(arena, 2, 40);
        kernels.rmsNorm(sum, w, 1e-6f, 2, expected);
        Tensor y = Tensor.floats(arena, 2, 40);

        kernels.addRmsNorm(residual, x, w, 1e-6f, 2, y);

        assertThat(residual.copyRows(0, 2)).isEqualTo(sum.copyRows(0, 2));
        assertThat(y.copyRows(0, 2)).isEqualTo(expected.copyRows(0, 2));
    }

    @Test
    void normalisesEveryHeadByItself() {
        Tensor x = Samples.floats(arena, 2, 5 + 3 * 16 + 4, random);
        Tensor w = Samples.floats(arena, 1, 16, random);
        Tensor before = Tensor.floats(arena, 2, x.columns());
        before.setRows(0, x.copyRows(0, 2));

        kernels.rmsNormHeads(x, 5, 3, w, 1e-6f, 2);

        for (int h = 0; h < 3; h++) {
            Tensor head = Tensor.floats(arena, 1, 16);
            for (int i = 0; i < 16; i++) {
                head.set(0, i, before.get(1, 5 + h * 16 + i));
            }
            Tensor expected = Tensor.floats(arena, 1, 16);
            kernels.rmsNorm(head, w, 1e-6f, 1, expected);
            for (int i = 0; i < 16; i++) {
                assertThat(x.get(1, 5 + h * 16 + i)).isEqualTo(expected.get(0, i));
            }
        }
        assertThat(x.get(1, 4)).isEqualTo(before.get(1, 4));
        assertThat(x.get(1, 53)).isEqualTo(before.get(1, 53));
    }

    @Test
    void rotatesHalvesByThePosition() {
        Tensor cosines = Tensor.floats(arena, 8, 4);
        Tensor sines = Tensor.floats(arena, 8, 4);
        for (int p = 0; p < 8; p++) {
            for (int i = 0; i < 4; i++) {
                cosines.set(p, i, (float) Math.cos(p * Math.pow(10, -i)));
                sines.set(p, i, (float) Math.sin(p * Math.pow(10, -i)));
            }
        }
        Tensor x = Samples.floats(arena, 2, 3 + 16, random);
        Tensor before = Tensor.floats(arena, 2, 19);
        before.setRows(0, x.copyRows(0, 2));

        kernels.rope(x, 3, 2, 8, new RopeTable(cosines, sines), ReferenceAttentionTest.batch(new int[2], 6));

        for (int t = 0; t < 2; t++) {
            for (int h = 0; h < 2; h++) {
                for (int i = 0; i < 4; i++) {
                    double angle = (6 + t) * Math.pow(10, -i);
                    double x0 = before.get(t, 3 + h * 8 + i);
                    double x1 = before.get(t, 3 + h * 8 + 4 + i);
                    assertThat((double) x.get(t, 3 + h * 8 + i))
                            .isCloseTo(x0 * Math.cos(angle) - x1 * Math.sin(angle), within(1e-6));
                    assertThat((double) x.get(t, 3 + h * 8 + 4 + i))
                            .isCloseTo(x1 * Math.cos(angle) + x0 * Math.sin(angle), within(1e-6));
                }
            }
        }
        assertThat(x.get(1, 2)).isEqualTo(before.get(1, 2));
    }

    @Test
    void refusesAPositionBeyondTheRotationTable() {
        RopeTable table = new RopeTable(Tensor.floats(arena, 8, 4), Tensor.floats(arena, 8, 4));

        assertThatThrownBy(() -> kernels.rope(
                        Tensor.floats(arena, 1, 8), 0, 1, 8, table, ReferenceAttentionTest.batch(new int[1], 8)))
                .hasMessageContaining("largest position=8");
    }

    @Test
    void gatesAsDoublesDo() {
        Tensor gateUp = Samples.floats(arena, 2, 2 * 19, random);
        gateUp.set(0, 0, -200f);
        gateUp.set(0, 1, 200f);
        Tensor y = Tensor.floats(arena, 2, 19);

        kernels.swiglu(gateUp, 2, y);

        for (int t = 0; t < 2; t++) {
            for (int i = 0; i < 19; i++) {
                double g = gateUp.get(t, i);
                double expected = g / (1 + Math.exp(-g)) * gateUp.get(t, 19 + i);
                assertThat((double) y.get(t, i)).isCloseTo(expected, within(1e-4 * Math.abs(expected) * 1e-2 + 1e-7));
            }
        }
    }

    @Test
    void turnsLogitsIntoProbabilities() {
        Tensor x = Samples.floats(arena, 2, 77, random);
        Tensor y = Tensor.floats(arena, 2, 77);

        kernels.softmax(x, 2, y);

        double sum = 0;
        for (int i = 0; i < 77; i++) {
            sum += Math.exp(x.get(1, i));
        }
        for (int i = 0; i < 77; i++) {
            assertThat((double) y.get(1, i)).isCloseTo(Math.exp(x.get(1, i)) / sum, within(1e-7));
        }
    }

    @Test
    void takesTheLowestColumnOnATie() {
        Tensor x = Samples.row(arena, 1f, 5f, -3f, 5f, 2f, 2f, 5f);
        int[] best = new int[1];
        int[] top = new int[5];

        kernels.argmax(x, 1, best);
        kernels.topK(x, 0, top);

        assertThat(best).containsExactly(1);
        assertThat(top).containsExactly(1, 3, 6, 4, 5);
    }

    @Test
    void findsTheLargestOfARandomRow() {
        Tensor x = Samples.floats(arena, 2, 500, random);
        int[] top = new int[40];

        kernels.topK(x, 1, top);

        for (int i = 1; i < top.length; i++) {
            assertThat(x.get(1, top[i])).isLessThanOrEqualTo(x.get(1, top[i - 1]));
        }
        long larger = 0;
        for (int i = 0; i < 500; i++) {
            larger += x.get(1, i) > x.get(1, top[39]) ? 1 : 0;
        }
        assertThat(larger).isEqualTo(39);
    }

    @Test
    void marksRowsThatAreNotFinite() {
        Tensor x = Samples.floats(arena, 4, 9, random);
        x.set(1, 8, Float.NEGATIVE_INFINITY);
        x.set(3, 0, Float.NaN);
        TokenFlags all = TokenFlags.onHost();
        TokenFlags three = TokenFlags.onHost();

        kernels.markNonFinite(x, 4, all);
        kernels.markNonFinite(x, 3, three);

        assertThat(all.marked().stream()).containsExactly(1, 3);
        assertThat(three.marked().stream()).containsExactly(1);
    }

    @Test
    void makesMarkedRowsNotANumber() {
        Tensor x = Samples.floats(arena, 4, 9, random);
        Floats before = x.copyRows(0, 4);
        TokenFlags failed = TokenFlags.onHost();
        failed.mark(1);
        failed.mark(3);

        kernels.poisonRows(x, 3, failed);

        assertThat(x.copyRows(1, 2).toArray()).containsOnly(Float.NaN);
        assertThat(x.copyRows(0, 1)).isEqualTo(before.slice(0, 1));
        assertThat(x.copyRows(2, 4)).isEqualTo(before.slice(2, 4));
    }

    @Test
    void leavesRowsBeyondTheTokensAlone() {
        Tensor a = Samples.floats(arena, 3, 5, random);
        float untouched = a.get(2, 4);

        kernels.add(a, a, 2);

        assertThat(a.get(2, 4)).isEqualTo(untouched);
    }

    @Test
    void addsABiasToEveryRow() {
        Tensor a = Samples.floats(arena, 3, 5, random);
        Tensor bias = Samples.floats(arena, 1, 5, random);
        Floats before = a.copyRows(0, 3);

        kernels.addBias(a, bias, 2);

        for (int i = 0; i < 5; i++) {
            assertThat(a.get(0, i)).isEqualTo(before.get(0, i) + bias.get(0, i));
            assertThat(a.get(1, i)).isEqualTo(before.get(1, i) + bias.get(0, i));
            assertThat(a.get(2, i)).isEqualTo(before.get(2, i));
        }
    }

    @Test
    void gathersRowsInTheOrderAskedFor() {
        Tensor x = Samples.floats(arena, 4, 5, random);
        Tensor y = Tensor.floats(arena, 3, 5);

        kernels.gatherRows(x, new int[] {3, 0, 3}, y);

        assertThat(y.copyRows(0, 1)).isEqualTo(x.copyRows(3, 4));
        assertThat(y.copyRows(1, 2)).isEqualTo(x.copyRows(0, 1));
        assertThat(y.copyRows(2, 3)).isEqualTo(x.copyRows(3, 4));
        assertThatThrownBy(() -> kernels.gatherRows(x, new int[] {4}, y))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("gatherRows: x=f32[4, 5], rows=[4], y=f32[3, 5] do not fit together");
    }

    private Tensor ones(int columns) {
        Tensor ones = Tensor.floats(arena, 1, columns);
        for (int i = 0; i < columns; i++) {
            ones.set(0, i, 1f);
        }
        return ones;
    }
}
