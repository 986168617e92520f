package dev.troupe.sampling.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Ints;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RegexGuideTest {
    private static final int PATTERNS = Integer.getInteger("troupe.guide.patterns", 500);

    private static final List<String> CHARACTERS =
            List.of("a", "b", "c", "0", "7", "_", " ", "-", "é", "߿", "ࠀ", "€", "\uffff", "😀", "\udbff\udfff");
    private static final List<String> ATOMS = List.of(
            "a",
            "b",
            "c",
            "0",
            "é",
            "€",
            "😀",
            "\\-",
            "\\d",
            "\\w",
            "\\s",
            "\\D",
            "\\W",
            "\\S",
            ".",
            "[ab]",
            "[^a]",
            "[a-c7]",
            "[^b-z_]",
            "[é-€]",
            "[€-😀]",
            "[^\\d]",
            "[\\w-]",
            "[^😀]",
            "\\x61",
            "\\u20ac",
            "[\\u0800-\\uffff]");
    private static final List<String> QUANTIFIERS =
            List.of("", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "{0}");

    private static final TokenTable BYTES = Vocabularies.bytes();

    @Test
    void agreesWithTheLibraryOnRandomPatternsAndTexts() {
        Random random = new Random(17);
        int matched = 0;
        int refused = 0;
        int drawn = 0;
        for (int i = 0; i < PATTERNS; i++) {
            String pattern = pattern(random, 3);
            Pattern library = Pattern.compile(pattern);
            TokenGuide guide;
            try {
                guide = guide(pattern, BYTES);
            } catch (GuideException e) {
                assertThat(e).as(pattern).hasMessageContaining("more than");
                refused++;
                continue;
            }

            for (int j = 0; j < 12; j++) {
                String text = text(random);
                boolean expected = library.matcher(text).matches();
                matched += expected ? 1 : 0;
                assertThat(matches(guide, text))
                        .as("%s on \"%s\"", pattern, text)
                        .isEqualTo(expected);
            }
            for (int j = 0; j < 3; j++) {
                Walk walk = Walk.of(guide, BYTES, random, 10, () -> closing(random));
                if (walk.ended() && walk.text().length() < 20) {
                    String text = walk.text();
                    assertThat(library.matcher(text).matches())
                            .as("%s on \"%s\"", pattern, text)
                            .isTrue();
                    drawn++;
                }
            }
        }
        assertThat(drawn).isGreaterThan(2 * PATTERNS);
        assertThat(refused).isLessThan(PATTERNS / 20);
        assertThat(matched).isGreaterThan(PATTERNS / 2);
    }

    @Test
    void everyCodePointIsMatchedByItsOwnClassOnly() {
        TokenGuide guide = guide("[\\u0080-\\u07ff\\ud800\\udc00-\\ud83d\\ude00]", BYTES);

        for (int point = 0; point <= Character.MAX_CODE_POINT; point += point < 0x900 ? 1 : 0x3ff) {
            if (point < Character.MIN_SURROGATE || point > Character.MAX_SURROGATE) {
                boolean inside = (point >= 0x80 && point <= 0x7ff) || (point >= 0x10000 && point <= 0x1f600);
                assertThat(matches(guide, Character.toString(point)))
                        .as("U+%x", point)
                        .isEqualTo(inside);
            }
        }
    }

    @Test
    void anchorsAtTheEndsChangeNothing() {
        TokenGuide guide = guide("^ab|c$|^$", BYTES);

        assertThat(matches(guide, "ab")).isTrue();
        assertThat(matches(guide, "c")).isTrue();
        assertThat(matches(guide, "")).isTrue();
        assertThat(matches(guide, "abc")).isFalse();
    }

    @Test
    void whatMustFollowIsForcedAndTheEndToo() {
        TokenGuide guide = guide("x(yz)?", BYTES);
        GuideState start = guide.start();
        GuideState x = guide.after(Vocabularies.tokens("x"));
        GuideState xyz = guide.after(Vocabularies.tokens("xyz"));

        assertThat(guide.mask(start).count()).isEqualTo(1);
        assertThat(guide.mask(start).allows(2 + 'x')).isTrue();
        assertThat(guide.mask(x).count()).isEqualTo(3);
        assertThat(guide.mask(x).allows(BYTES.endOfText().get(0))).isTrue();
        assertThat(guide.mask(xyz).count()).isEqualTo(2);
        assertThat(guide.mask(xyz).next(0)).isEqualTo(BYTES.endOfText().get(0));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            value = {
                "ab(c ! position 2: this group is not closed",
                "ab) ! position 2: this ) closes no group",
                "*a ! position 0: this quantifier has nothing to repeat",
                "a** ! position 2: a quantifier follows a quantifier; put the first in a group",
                "a{1,1000}{1,1000} ! position 9: a quantifier follows a quantifier; put the first in a group",
                "a*+ ! position 2: possessive quantifiers are not supported",
                "a{2,1} ! position 1: {2,1} has its bounds reversed",
                "a{x} ! position 1: {m}, {m,} or {m,n} is expected; write \\{ for the character",
                "a{99999} ! position 1: 99999 repetitions, expected at most 10000",
                "(?=a) ! position 0: of the groups that start with (? only (?: is supported",
                "(a)\\1 ! position 3: the escape \\1 is not supported",
                "\\bx ! position 0: the escape \\b is not supported",
                "\\p{L} ! position 0: the escape \\p is not supported",
                "a$b ! position 1: $ may only stand at the end",
                "a^b ! position 1: ^ may only stand at the start",
                "(a$)b ! position 2: $ may only stand at the end",
                "[z-a] ! position 1: this range has its ends reversed",
                "[] ! position 0: this class is empty; write \\] for the character",
                "[a ! position 0: this class is not closed",
                "[a&&b] ! position 2: classes within classes are not supported; write \\&",
                "\\u12 ! position 2: 4 hexadecimal digits are expected",
                "\\ud83d ! position 0: half a surrogate pair is no character"
            })
    void refusesWithThePosition(String pattern, String message) {
        assertThatThrownBy(() -> new GuideSpec(GuideSpec.Kind.REGEX, pattern).compile())
                .isInstanceOf(GuideException.class)
                .hasMessage("regular expression, " + message);
    }

    @Test
    void patternsThatDefeatBacktrackingAreLinear() {
        TokenGuide guide = guide("(a*)*b|(a|a)*c|(a|aa)+d", BYTES);
        String many = "a".repeat(20_000);

        assertThat(matches(guide, many)).isFalse();
        assertThat(matches(guide, many + "b")).isTrue();
        assertThat(matches(guide, many + "d")).isTrue();
    }

    @Test
    void refusesWhatIsTooLarge() {
        refuses("(a{1,1000}){1,1000}", "written out it has more than 200000 parts");
        refuses("(((a{1,100}){1,100}){1,100}){1,100}", "written out it has more than 200000 parts");
        refuses("[ab]*a[ab]{20}", "needs more than");
        refuses("(a?){10000}a{9000}", "more than");
        refuses("x".repeat(8_193), "position 8192: it has 8193 characters, expected at most 8192");
        refuses("(".repeat(5_000), "position 64: groups are nested more than 64 deep");
        refuses("[^\\s\\S]", "nothing satisfies the guide");
        refuses("(.*a.{12}){9}", "more than");
    }

    private static void refuses(String pattern, String message) {
        assertThatThrownBy(() -> new GuideSpec(GuideSpec.Kind.REGEX, pattern).compile())
                .isInstanceOf(GuideException.class)
                .hasMessageContaining(message);
    }

    @Test
    void deadEndsWithinAPatternAreNeverEntered() {
        TokenGuide guide = guide("a([^\\s\\S]|b)|c[^\\s\\S]", BYTES);

        assertThat(guide.mask(guide.start()).count()).isEqualTo(1);
        assertThat(guide.mask(guide.start()).allows(2 + 'a')).isTrue();
    }

    private static TokenGuide guide(String pattern, TokenTable table) {
        return new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, pattern).compile(), table);
    }

    private static boolean matches(TokenGuide guide, String text) {
        Ints tokens = Vocabularies.tokens(text);
        GuideState state = guide.start();
        for (int i = 0; i < tokens.size(); i++) {
            if (!guide.mask(state).allows(tokens.get(i))) {
                return false;
            }
            state = guide.advance(state, tokens.get(i));
        }
        return state.accepts();
    }

    private static String closing(Random random) {
        List<String> order = Arrays.asList("abc07_ -".split(""));
        Collections.shuffle(order, random);
        return String.join("", order);
    }

    private static String pattern(Random random, int depth) {
        StringBuilder pattern = new StringBuilder();
        int branches = 1 + random.nextInt(2);
        for (int b = 0; b < branches; b++) {
            pattern.append(b == 0 ? "" : "|");
            int parts = random.nextInt(4);
            for (int p = 0; p < parts; p++) {
                boolean group = depth > 0 && random.nextInt(3) == 0;
                pattern.append(
                        group
                                ? (random.nextBoolean() ? "(" : "(?:") + pattern(random, depth - 1) + ")"
                                : ATOMS.get(random.nextInt(ATOMS.size())));
                pattern.append(QUANTIFIERS.get(random.nextInt(QUANTIFIERS.size())));
            }
        }
        return pattern.toString();
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(7);
        for (int i = 0; i < length; i++) {
            text.append(CHARACTERS.get(random.nextInt(CHARACTERS.size())));
        }
        return text.toString();
    }
}
