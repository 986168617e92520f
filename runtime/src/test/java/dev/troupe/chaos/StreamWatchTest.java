package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextEvent;
import dev.troupe.serving.FinishReason;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class StreamWatchTest {
    private long now;

    private void tokens(StreamWatch watch, long... millis) {
        for (long each : millis) {
            now = each * 1_000_000;
            watch.on(new TextEvent.Token(0, 1, 7, "x", 0, 0, List.of(), ""));
        }
    }

    @Test
    void actsOnceAtItsTokenAndNotBefore() {
        List<Integer> acted = new ArrayList<>();
        StreamWatch[] watch = new StreamWatch[1];
        watch[0] = new StreamWatch(2, () -> acted.add(watch[0].tokens()), () -> now);
        watch[0].on(new TextEvent.Started("id", Ints.of(1)));

        tokens(watch[0], 1);
        assertThat(watch[0].hasActed()).isFalse();
        tokens(watch[0], 2, 3, 4);

        assertThat(acted).containsExactly(2);
        assertThat(watch[0].hasActed()).isTrue();
    }

    @Test
    void theGapIsTheLongestWaitFromTheActionOn() {
        StreamWatch watch = new StreamWatch(3, () -> {}, () -> now);

        tokens(watch, 0, 5_000, 5_010, 5_020, 6_720, 6_730);

        assertThat(watch.gapMillis()).isEqualTo(1_700);
        assertThat(watch.usualMillis()).isEqualTo(10);
    }

    @Test
    void aStreamThatEndsAtTheActionHasNoGap() {
        StreamWatch watch = new StreamWatch(2, () -> {}, () -> now);

        tokens(watch, 0, 900);

        assertThat(watch.gapMillis()).isZero();
    }

    @Test
    void actsBeforeTheFirstTokenOrNotAtAll() {
        List<Integer> acted = new ArrayList<>();
        StreamWatch early = new StreamWatch(0, () -> acted.add(1), () -> now);
        StreamWatch late = new StreamWatch(0, () -> acted.add(2), () -> now);

        assertThat(early.actBeforeTheFirstToken()).isTrue();
        assertThat(early.actBeforeTheFirstToken()).isFalse();
        tokens(early, 900, 910);
        tokens(late, 920);
        assertThat(late.actBeforeTheFirstToken()).isFalse();

        assertThat(acted).containsExactly(1);
        assertThat(early.hasActed()).isTrue();
        assertThat(early.gapMillis()).isEqualTo(900);
        assertThat(early.firstMillis()).isEqualTo(900);
        assertThat(late.hasActed()).isFalse();
    }

    @Test
    void gathersTheWholeGeneration() {
        StreamWatch watch = StreamWatch.ofPeace();
        watch.on(new TextEvent.Started("id", Ints.of(1)));
        tokens(watch, 1, 2);
        watch.on(new TextEvent.Ended(0, FinishReason.LENGTH, "."));
        watch.on(new TextEvent.Usage(1, 1, 0));

        assertThat(watch.completion().text()).isEqualTo("xx.");
        assertThat(watch.hasActed()).isFalse();
    }
}
