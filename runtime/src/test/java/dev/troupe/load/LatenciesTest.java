package dev.troupe.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class LatenciesTest {
    @Test
    void aPercentileIsTheNearestRankAndNeverTooLow() {
        SplittableRandom random = new SplittableRandom(1);
        for (int size : new int[] {1, 2, 3, 10, 999, 10_000}) {
            Latencies latencies = new Latencies();
            long[] values = random.longs(size, 0, 1L << 40)
                    .map(value -> value >> random.nextInt(36))
                    .sorted()
                    .toArray();
            Arrays.stream(values).forEach(latencies::add);

            for (double percent : new double[] {0, 1, 50, 90, 99, 99.9, 100}) {
                double exact = values[(int) Math.max(0, Math.ceil(percent / 100 * size) - 1)] / 1e9;
                assertThat(latencies.percentile(percent))
                        .as("p%s of %d", percent, size)
                        .isBetween(exact, exact * (1 + Latencies.ERROR_PERCENT / 100));
            }
            assertThat(latencies.max()).isEqualTo(values[size - 1] / 1e9);
            assertThat(latencies.mean())
                    .isEqualTo(Arrays.stream(values).average().orElse(0) / 1e9, Offset.offset(1e-9));
            assertThat(latencies.count()).isEqualTo(size);
        }
    }

    @Test
    void shortAndLongestDurationsHaveBuckets() {
        Latencies latencies = new Latencies();
        latencies.add(-5);
        latencies.add(Long.MAX_VALUE);

        assertThat(latencies.percentile(50)).isZero();
        assertThat(latencies.percentile(100)).isEqualTo(Long.MAX_VALUE / 1e9);
    }

    @Test
    void ofNoneEverythingIsZero() {
        Latencies latencies = new Latencies();

        assertThat(latencies.percentile(99)).isZero();
        assertThat(latencies.mean()).isZero();
        assertThat(latencies.max()).isZero();
    }

    @Test
    void aPercentileBeyondAHundredIsRefused() {
        assertThatThrownBy(() -> new Latencies().percentile(101)).hasMessage("percent=101.0, expected 0 to 100");
    }
}
