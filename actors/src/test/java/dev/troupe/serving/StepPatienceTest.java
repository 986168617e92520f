package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class StepPatienceTest {
    private final StepPatience patience = new StepPatience(Duration.ofMinutes(1), Duration.ofSeconds(1));

    private void measured(long millis, int tokens) {
        patience.measured(Duration.ofMillis(millis).toNanos(), tokens);
    }

    @Test
    void takesTwentyTimesWhatTheWorkShouldTakeAndAMinimum() {
        assertThat(patience.of(1)).isEqualTo(Duration.ofMinutes(1));
        measured(4_000, 1);
        measured(10, 1);

        assertThat(patience.of(1)).isEqualTo(Duration.ofSeconds(1));
        assertThat(patience.of(100)).isEqualTo(Duration.ofSeconds(20));
    }

    @Test
    void forgetsTheColdStepWithTheNext() {
        measured(4_000, 1);
        assertThat(patience.of(1)).isEqualTo(Duration.ofSeconds(80));

        measured(100, 1);

        assertThat(patience.of(1)).isEqualTo(Duration.ofSeconds(2));
    }

    @Test
    void doesNotTakeAPauseForALongStep() {
        measured(100, 1);
        measured(100, 1);

        measured(8_000, 1);

        assertThat(patience.of(1)).isEqualTo(Duration.ofSeconds(4));
    }

    @Test
    void followsStepsThatBecomeLonger() {
        for (int i = 0; i < 12; i++) {
            measured(100L << Math.min(i, 6), 1);
        }

        assertThat(patience.of(1)).isEqualTo(Duration.ofSeconds(128));
    }
}
