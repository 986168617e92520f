package dev.troupe.kernel.cuda;

import static dev.troupe.kernel.cuda.DeviceWork.everySchedule;
import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.Tensor;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Softmax, argmax and top-k give what the plain loops give on the stand-in driver. */
@StandInTest
class RowSelectionTest {
    private final Kernels expected = new ReferenceKernels();
    private final Random random = new Random(14);

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 33, 257, 2049, 5000})
    void makesProbabilities(int n) throws Exception {
        everySchedule(work -> {
            RowSelection selection = work.closing(new RowSelection(work.stream));
            Tensor x = Samples.floats(work.arena, 4, n, random);
            x.set(1, n / 2, 200f);
            x.set(2, n - 1, -500f);
            Tensor y = Samples.floats(work.arena, 4, n, random);
            Tensor onDevice = work.upload(x);
            Tensor apart = work.upload(y);
            StepRows rows = work.rows(3, 4);

            selection.softmax(onDevice, apart, rows);
            selection.softmax(onDevice, onDevice, rows);

            expected.softmax(x, 3, y);
            expected.softmax(x, 3, x);
            work.requireEqual("softmax", apart, y);
            work.requireEqual("softmax in place", onDevice, x);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 40, 512, 1500})
    void findsTheLargestOfEveryRow(int n) throws Exception {
        everySchedule(work -> {
            RowSelection selection = work.closing(new RowSelection(work.stream));
            Tensor x = coarse(work, 5, n);
            Tensor onDevice = work.upload(x);
            for (int tokens : new int[] {5, 2, 0}) {
                int[] wanted = new int[5];
                int[] got = new int[5];

                selection.argmax(onDevice, tokens, got);

                expected.argmax(x, tokens, wanted);
                assertThat(got).isEqualTo(wanted);
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 40, 700})
    void findsTheLargestOfARow(int n) throws Exception {
        everySchedule(work -> {
            RowSelection selection = work.closing(new RowSelection(work.stream));
            Tensor x = coarse(work, 3, n);
            Tensor onDevice = work.upload(x);
            for (int k : new int[] {0, 1, 8, 40}) {
                int[] wanted = new int[Math.min(k, n)];
                int[] got = new int[wanted.length];

                selection.topK(onDevice, 1, got);

                expected.topK(x, 1, wanted);
                assertThat(got).as("k = %d", k).isEqualTo(wanted);
            }
        });
    }

    /** Few different values, so that there are ties, zeros of both signs among them. */
    private Tensor coarse(DeviceWork work, int rows, int n) {
        Tensor x = Tensor.floats(work.arena, rows, n);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < n; c++) {
                x.set(r, c, Math.round((float) random.nextGaussian() * 20) * 0.25f * (random.nextBoolean() ? 1 : -1));
            }
        }
        return x;
    }
}
