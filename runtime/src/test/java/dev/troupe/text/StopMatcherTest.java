package dev.troupe.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class StopMatcherTest {

    @Test
    void holdsBackOnlyWhatMayBecomeAStopString() {
        StopMatcher matcher = new StopMatcher(List.of("END"));

        assertThat(matcher.append("an E")).isEqualTo("an ");
        assertThat(matcher.append("N")).isEmpty();
        assertThat(matcher.append("E")).isEqualTo("EN");
        assertThat(matcher.append("ND and more")).isEmpty();
        assertThat(matcher.matched()).contains("END");
        assertThat(matcher.append("more")).isEmpty();
        assertThat(matcher.finish()).isEmpty();
    }

    @Test
    void givesTheHeldTextAtTheEnd() {
        StopMatcher matcher = new StopMatcher(List.of("END"));

        assertThat(matcher.append("the EN")).isEqualTo("the ");
        assertThat(matcher.finish()).isEqualTo("EN");
        assertThat(matcher.matched()).isEmpty();
    }

    @Test
    void passesEverythingWithoutStopStrings() {
        StopMatcher matcher = new StopMatcher(List.of());

        assertThat(matcher.append("text")).isEqualTo("text");
        assertThat(matcher.finish()).isEmpty();
    }

    @Test
    void endsBeforeTheFirstStopStringThatIsComplete() {
        StopMatcher matcher = new StopMatcher(List.of("abcd", "bc"));

        assertThat(matcher.append("xabcd")).isEqualTo("xa");
        assertThat(matcher.matched()).contains("bc");
    }

    @Test
    void takesTheLongerOfTwoThatEndTogether() {
        StopMatcher matcher = new StopMatcher(List.of("c", "abc"));

        assertThat(matcher.append("xabc")).isEqualTo("x");
        assertThat(matcher.matched()).contains("abc");
    }

    @Test
    void findsAStopStringThatOverlapsItself() {
        StopMatcher matcher = new StopMatcher(List.of("aab"));

        assertThat(matcher.append("aaab")).isEqualTo("a");
        assertThat(matcher.matched()).contains("aab");
    }

    @Test
    void refusesAnEmptyStopString() {
        assertThatThrownBy(() -> new StopMatcher(List.of("a", "")))
                .hasMessage("stop=[a, ] holds an empty string, which would end every text");
    }

    @Test
    void givesTheSameTextHoweverItIsCutIntoPieces() {
        int found = 0;
        for (int seed = 0; seed < 5000; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            String text = word(random, random.nextInt(30));
            List<String> stops = random.ints(random.nextInt(4), 1, 6)
                    .mapToObj(length -> word(random, length))
                    .toList();
            StopMatcher matcher = new StopMatcher(stops);
            StringBuilder given = new StringBuilder();
            for (int at = 0; at < text.length(); ) {
                int next = Math.min(text.length(), at + random.nextInt(8));
                given.append(matcher.append(text.substring(at, next)));
                at = next;
            }
            given.append(matcher.finish());

            Optional<String> stop = firstComplete(text, stops);

            assertThat(matcher.matched())
                    .as("seed %d: %s in %s", seed, stops, text)
                    .isEqualTo(stop);
            assertThat(given.toString())
                    .isEqualTo(stop.map(s -> text.substring(0, endOfFirst(text, stops) - s.length()))
                            .orElse(text));
            found += stop.isPresent() ? 1 : 0;
        }
        assertThat(found).isBetween(1000, 4500);
    }

    private static int endOfFirst(String text, List<String> stops) {
        for (int end = 1; end <= text.length(); end++) {
            if (stops.stream().anyMatch(text.substring(0, end)::endsWith)) {
                return end;
            }
        }
        return -1;
    }

    private static Optional<String> firstComplete(String text, List<String> stops) {
        int end = endOfFirst(text, stops);
        return end < 0
                ? Optional.empty()
                : stops.stream()
                        .filter(text.substring(0, end)::endsWith)
                        .reduce((a, b) -> a.length() >= b.length() ? a : b);
    }

    private static String word(SplittableRandom random, int length) {
        StringBuilder word = new StringBuilder();
        for (int i = 0; i < length; i++) {
            word.append((char) ('a' + random.nextInt(3)));
        }
        return word.toString();
    }
}
