package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SpanSumsTest {

    @Test
    void mergesToTheSoftmaxDenominatorInDoublePrecision() {
        SplittableRandom random = new SplittableRandom(4);
        for (int size : new int[] {1, 31, 255, 256, 257, 1000, 5000}) {
            float[] values = new float[size];
            double sum = 0;
            double maximum = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < size; i++) {
                values[i] = (float) random.nextGaussian(0, 5);
                maximum = Math.max(maximum, values[i]);
            }
            for (float value : values) {
                sum += Math.exp(value - maximum);
            }

            Denominator whole = Denominator.merge(List.of(SpanSums.of(0, values)));

            assertThat((double) whole.maximum()).isEqualTo(maximum);
            assertThat((double) whole.sum()).isCloseTo(sum, within(sum * 1e-5));
            assertThat((double) whole.logProbability(values[0]))
                    .isCloseTo(values[0] - maximum - Math.log(sum), within(1e-4));
        }
    }

    @Test
    void refusesARankBoundaryInsideASpan() {
        assertThatThrownBy(() -> SpanSums.of(100, new float[] {1f}))
                .hasMessage("firstId=100, expected a multiple of 256");
    }

    @Test
    void refusesRanksInTheWrongOrder() {
        SpanSums first = SpanSums.of(0, new float[256]);
        SpanSums second = SpanSums.of(256, new float[256]);

        assertThatThrownBy(() -> Denominator.merge(List.of(second, first)))
                .hasMessageContaining("vocabulary spans: 1 follows -1");
        assertThatThrownBy(() -> Denominator.merge(List.of()))
                .hasMessage("no vocabulary span in the candidates of 0 ranks");
    }

    @Test
    void takesARankWithoutRows() {
        SpanSums some = SpanSums.of(0, new float[100]);

        Denominator whole = Denominator.merge(List.of(some, SpanSums.of(100, new float[0])));

        assertThat(whole).isEqualTo(Denominator.merge(List.of(some)));
    }
}
