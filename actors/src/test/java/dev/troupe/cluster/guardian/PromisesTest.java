package dev.troupe.cluster.guardian;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.stage.Epoch;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PromisesTest {
    private final Promises promises = new Promises();

    @Test
    void acceptsOnlyWhatRises() {
        assertThat(promises.offer("llama/0", new Epoch(2, 5))).isEqualTo(new Epoch(2, 5));
        assertThat(promises.offer("llama/0", new Epoch(2, 4))).isEqualTo(new Epoch(2, 5));
        assertThat(promises.offer("llama/0", new Epoch(1, 9))).isEqualTo(new Epoch(2, 5));
        assertThat(promises.offer("llama/0", new Epoch(2, 6))).isEqualTo(new Epoch(2, 6));
    }

    @Test
    void acceptsTheSameAgain() {
        promises.offer("llama/0", new Epoch(2, 5));

        assertThat(promises.offer("llama/0", new Epoch(2, 5))).isEqualTo(new Epoch(2, 5));
        assertThat(promises.isSuperseded("llama/0", new Epoch(2, 5))).isFalse();
    }

    @Test
    void comparesIssuersAsUnsigned() {
        promises.offer("llama/0", new Epoch(1, -1));

        assertThat(promises.offer("llama/0", new Epoch(1, 1))).isEqualTo(new Epoch(1, -1));
    }

    @Test
    void keepsReplicasApart() {
        promises.offer("llama/0", new Epoch(9, 1));

        assertThat(promises.offer("llama/1", new Epoch(1, 1))).isEqualTo(new Epoch(1, 1));
        assertThat(promises.isSuperseded("llama/0", new Epoch(1, 1))).isFalse();
    }

    @Test
    void remembersWhatIsSupersededWhileItLives() {
        promises.offer("llama/0", new Epoch(1, 1));
        promises.offer("llama/0", new Epoch(2, 1));
        promises.offer("llama/0", new Epoch(3, 1));

        promises.retain("llama/0", Set.of(new Epoch(2, 1)));

        assertThat(promises.isSuperseded("llama/0", new Epoch(1, 1))).isFalse();
        assertThat(promises.isSuperseded("llama/0", new Epoch(2, 1))).isTrue();
        assertThat(promises.isSuperseded("llama/0", new Epoch(3, 1))).isFalse();
    }

    @Test
    void promisesTheHighestWhenManyAskAtOnce() {
        IntStream.rangeClosed(1, 10_000).parallel().forEach(i -> promises.offer("llama/0", new Epoch(i % 100 + 1, i)));

        Epoch highest = IntStream.rangeClosed(1, 10_000)
                .mapToObj(i -> new Epoch(i % 100 + 1, i))
                .max(Epoch::compareTo)
                .orElseThrow();
        assertThat(promises.highest("llama/0")).isEqualTo(highest);
    }
}
