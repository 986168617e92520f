package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class GrowthTest {
    private long now;
    private final Growth growth = new Growth(Duration.ofSeconds(5), () -> now);

    /** Seconds until it grows, or −1 if it does not in ten minutes. */
    private int untilDue(boolean cheap) {
        for (int second = 0; second <= 600; second++) {
            if (growth.isDue(true, cheap)) {
                growth.grow();
                growth.begin();
                return second;
            }
            now += Duration.ofSeconds(1).toNanos();
        }
        return -1;
    }

    @Test
    void growsWhenThatWasPossibleForAWhile() {
        assertThat(untilDue(true)).isEqualTo(5);
    }

    @Test
    void beginsAnewWhenANodeIsGoneInBetween() {
        growth.isDue(true, true);
        now += Duration.ofSeconds(4).toNanos();
        growth.isDue(false, true);

        assertThat(untilDue(true)).isEqualTo(5);
    }

    @Test
    void waitsLongerWhereMuchMustBeComputedAgainButNotForEver() {
        assertThat(untilDue(false)).isEqualTo(30);
    }

    @Test
    void waitsTwiceAsLongEachTimeThatItDidNotLast() {
        assertThat(untilDue(true)).isEqualTo(5);
        assertThat(untilDue(true)).isEqualTo(5);
        assertThat(untilDue(true)).isEqualTo(10);
        assertThat(untilDue(true)).isEqualTo(20);

        now += Duration.ofHours(1).toNanos();
        assertThat(untilDue(true)).isEqualTo(40);
        assertThat(untilDue(true)).isEqualTo(5);
    }

    @Test
    void neverGrowsWhereItIsOff() {
        Growth off = new Growth(Duration.ZERO, () -> now);
        off.isDue(true, true);
        now += Duration.ofHours(1).toNanos();

        assertThat(off.isDue(true, true)).isFalse();
    }
}
