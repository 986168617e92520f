package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Where rounding meets its limits no product shows it, because the scales are so small; so the integers are looked at. */
@Tag("vector-width")
class ActivationRoundingTest {
    private static final float LEAST = Float.MIN_VALUE;

    private final Arena arena = Arena.ofAuto();

    @Test
    void keepsEveryIntegerInsideAByteInWholeAndCutBlocks() {
        for (int columns : new int[] {3, 32, 35}) {
            Tensor x = Tensor.floats(arena, 1, columns);
            int from = columns == 35 ? 32 : 0;
            x.set(0, from, 190 * LEAST);
            x.set(0, from + 1, -190 * LEAST);
            x.set(0, from + 2, LEAST);
            Tensor values = Tensor.floats(arena, 1, columns);
            Tensor scales = Tensor.floats(arena, 1, 2);

            ActivationRounding.round(x.address(), columns, values.address(), scales.address());

            // 190 / 127 of the least float is rounded to the least float, so the quotient is 190
            assertThat(scales.get(0, from / 32)).isEqualTo(LEAST);
            assertThat(values.get(0, from)).isEqualTo(127f);
            assertThat(values.get(0, from + 1)).isEqualTo(-127f);
            assertThat(values.get(0, from + 2)).isEqualTo(1f);
        }
    }

    @Test
    void roundsTiesToEven() {
        Tensor x = Tensor.floats(arena, 1, 32);
        float[] given = {127f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -126.5f};
        float[] expected = {127f, 0f, 2f, 2f, 0f, -2f, -126f};
        for (int k = 0; k < given.length; k++) {
            x.set(0, k, given[k]);
        }
        Tensor values = Tensor.floats(arena, 1, 32);
        Tensor scales = Tensor.floats(arena, 1, 1);

        ActivationRounding.round(x.address(), 32, values.address(), scales.address());

        for (int k = 0; k < given.length; k++) {
            assertThat(values.get(0, k)).isEqualTo(expected[k]);
        }
    }

    @Test
    void makesAllOfABlockNotANumberThatHasOne() {
        Tensor x = Tensor.floats(arena, 1, 32);
        x.set(0, 7, Float.NaN);
        Tensor values = Tensor.floats(arena, 1, 32);
        Tensor scales = Tensor.floats(arena, 1, 1);

        ActivationRounding.round(x.address(), 32, values.address(), scales.address());

        assertThat(scales.get(0, 0)).isNaN();
        assertThat(values.get(0, 8)).isNaN();
    }
}
