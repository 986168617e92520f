package dev.troupe.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.LongStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class ArrivalsTest {
    private static long[] first(int count, double rate, long seed) {
        Arrivals arrivals = new Arrivals(rate, seed);
        return LongStream.generate(arrivals::next).limit(count).toArray();
    }

    @Test
    void theSameSeedGivesTheSameTimes() {
        assertThat(first(1000, 10, 7)).isEqualTo(first(1000, 10, 7)).isSorted();
        assertThat(first(1000, 10, 7)).isNotEqualTo(first(1000, 10, 8));
    }

    @Test
    void gapsHaveTheMeanAndTheSpreadOfAPoissonProcess() {
        int count = 100_000;
        long[] times = first(count, 20, 3);

        double mean = times[count - 1] / 1e9 / count;
        double squares = 0;
        long before = 0;
        for (long time : times) {
            squares += Math.pow((time - before) / 1e9 - mean, 2);
            before = time;
        }
        assertThat(mean).isEqualTo(0.05, Offset.offset(0.001));
        assertThat(Math.sqrt(squares / count)).isEqualTo(0.05, Offset.offset(0.001));
    }

    @Test
    void aRateMustBeAboveZero() {
        assertThatThrownBy(() -> new Arrivals(0, 1)).hasMessageStartingWith("rate=0.0, expected more than 0");
        assertThatThrownBy(() -> new Arrivals(Double.NaN, 1)).hasMessageStartingWith("rate=NaN");
    }
}
