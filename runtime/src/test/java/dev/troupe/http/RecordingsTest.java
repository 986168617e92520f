package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.config.HttpConfig;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.util.ByteString;
import org.junit.jupiter.api.Test;

class RecordingsTest {
    private static final ByteString HALF_A_KIBIBYTE = ByteString.fromString("x".repeat(512));

    private final List<String> tooLarge = new ArrayList<>();
    private final Recordings recordings = new Recordings(new HttpConfig.Recordings(3, 2, 2048), tooLarge::add);

    private Recording open(String tenant, String generation) {
        return recordings.open(tenant, generation);
    }

    private void assertDropped(String tenant, String generation) {
        assertThat(recordings.find(tenant, generation)).isEmpty();
        assertThatThrownBy(() -> recordings.requireNotDropped(tenant, generation))
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(410))
                .hasMessageContaining("has made room for newer streams");
    }

    @Test
    void dropsTheOldestThatHasEndedAndNoneThatRuns() {
        open("a", "1");
        open("b", "2").end();
        open("b", "3").end();

        open("a", "4");

        assertDropped("b", "2");
        assertThat(recordings.find("a", "1")).isPresent();
        assertThat(recordings.find("b", "3")).isPresent();
        assertThat(recordings.find("a", "4")).isPresent();
        assertThat(recordings.find("a", "2")).isEmpty();
        assertThat(recordings.find("b", "never")).isEmpty();
    }

    @Test
    void refusesWhatATenantHasTooManyOf() {
        open("a", "1");
        Recording second = open("a", "2");

        assertThatThrownBy(() -> open("a", "3"))
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(429))
                .hasMessage("2 resumable streams of yours run, expected at most 2");
        open("b", "4");
        second.end();
        open("a", "5");

        assertDropped("a", "2");
    }

    @Test
    void refusesMoreThanAllMayHaveAndTakesWhatIsForgotten() {
        open("a", "1");
        Recording second = open("b", "2");
        open("c", "3");

        assertThatThrownBy(() -> open("d", "4"))
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(503))
                .hasMessageContaining("3 resumable streams run, at most 3 do");
        recordings.forget("2", second);
        open("d", "4");

        assertThat(recordings.find("b", "2")).isEmpty();
        recordings.requireNotDropped("b", "2");
    }

    @Test
    void isNotDroppedOnceItIsHereAgain() {
        Recording first = open("a", "1");
        first.end();
        open("a", "2").end();
        open("a", "3");
        assertDropped("a", "1");

        Recording again = open("a", "1");

        recordings.forget("1", first);
        assertThat(recordings.find("a", "1")).containsSame(again);
        recordings.requireNotDropped("a", "1");
    }

    @Test
    void dropsEndedOnesForTheBytesOfOthersAndThenEndsTheLargest() {
        Recording ended = open("a", "1");
        ended.add(HALF_A_KIBIBYTE);
        ended.end();
        Recording small = open("b", "2");
        Recording large = open("c", "3");
        small.add(HALF_A_KIBIBYTE);
        large.add(HALF_A_KIBIBYTE);
        large.add(HALF_A_KIBIBYTE);
        assertThat(recordings.find("a", "1")).isPresent();

        large.add(HALF_A_KIBIBYTE);
        assertDropped("a", "1");
        assertThat(recordings.bytes()).isEqualTo(2048);
        assertThat(tooLarge).isEmpty();

        small.add(HALF_A_KIBIBYTE);
        assertThat(tooLarge).containsExactly("3");

        large.end();
        small.add(HALF_A_KIBIBYTE);
        assertDropped("c", "3");
        assertThat(recordings.bytes()).isEqualTo(1536);
    }
}
