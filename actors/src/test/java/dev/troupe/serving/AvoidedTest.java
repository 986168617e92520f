package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class AvoidedTest {
    private long now;
    private final Avoided avoided = new Avoided(Duration.ofSeconds(30), () -> now);

    private void pass(long seconds) {
        now += Duration.ofSeconds(seconds).toNanos();
    }

    @Test
    void endsByItself() {
        assertThat(avoided.add("a")).isEqualTo(Duration.ofSeconds(30));

        pass(29);
        assertThat(avoided.now()).containsExactly("a");
        pass(1);

        assertThat(avoided.now()).isEmpty();
    }

    @Test
    void lastsTwiceAsLongEachTimeThatItIsNeededAgain() {
        avoided.add("a");
        pass(40);
        assertThat(avoided.add("a")).isEqualTo(Duration.ofSeconds(60));
        pass(100);
        assertThat(avoided.add("a")).isEqualTo(Duration.ofMinutes(2));
        for (int i = 0; i < 10; i++) {
            now += avoided.add("a").toNanos();
        }

        assertThat(avoided.add("a")).isEqualTo(Duration.ofMinutes(10));
        assertThat(avoided.add("b")).isEqualTo(Duration.ofSeconds(30));
    }

    @Test
    void isForgottenWhenAllWasWellForAsLong() {
        avoided.add("a");
        pass(61);

        assertThat(avoided.add("a")).isEqualTo(Duration.ofSeconds(30));
    }
}
