package dev.troupe.sampling.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.sampling.guide.automaton.Automaton;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Ints;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

class TokenGuideTest {
    private static final String TREE =
            "{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"string\",\"maxLength\":9},\"in\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}}}";
    private static final List<GuideSpec> SPECS = List.of(
            new GuideSpec(GuideSpec.Kind.JSON_SCHEMA, TREE),
            new GuideSpec(GuideSpec.Kind.JSON_OBJECT, ""),
            new GuideSpec(GuideSpec.Kind.REGEX, "(\\{\"|[€-😀]{1,5}|true)*(null)?"),
            new GuideSpec(GuideSpec.Kind.CHOICE, "[\"{\\\"a\\\":\", \"{\", \"\", \"Zoë €5 😀\"]"));

    @Test
    void aTokenIsInTheMaskExactlyWhenItsBytesLeadOn() {
        for (GuideSpec spec : SPECS) {
            for (TokenTable table : List.of(Vocabularies.pieces(7), Vocabularies.characters())) {
                TokenGuide guide = new TokenGuide(spec.compile(), table);
                Ints log = Walk.of(guide, table, new Random(3), 20, () -> Walk.CLOSING)
                        .completion();
                GuideState state = guide.start();
                for (int i = 0; i < log.size(); i++) {
                    TokenMask mask = guide.mask(state);
                    for (int id = 0; id < table.size(); id++) {
                        assertThat(mask.allows(id))
                                .as("token %d after %s", id, log.slice(0, i))
                                .isEqualTo(leadsOn(guide, state, id));
                    }
                    state = guide.advance(state, log.get(i));
                }
                assertThat(state.accepts()).isTrue();
            }
        }
    }

    private static boolean leadsOn(TokenGuide guide, GuideState state, int id) {
        try {
            guide.advance(state, id);
            return true;
        } catch (GuideException e) {
            return false;
        }
    }

    @Test
    void theStateRebuiltFromTheLogIsTheOneReachedTokenByToken() {
        for (GuideSpec spec : SPECS) {
            TokenTable table = Vocabularies.pieces(8);
            TokenGuide guide = new TokenGuide(spec.compile(), table);
            Random random = new Random(9);
            for (int walk = 0; walk < 10; walk++) {
                Ints log = Walk.of(guide, table, random, 40, () -> Walk.CLOSING).completion();
                TokenGuide other = new TokenGuide(spec.compile(), table);
                GuideState state = guide.start();
                for (int i = 0; i < log.size(); i++) {
                    state = guide.advance(state, log.get(i));
                    GuideState rebuilt = other.after(log.slice(0, i + 1));

                    assertThat(rebuilt).isEqualTo(state).hasSameHashCodeAs(state);
                    assertThat(ids(other.mask(rebuilt))).isEqualTo(ids(guide.mask(state)));
                }
            }
        }
    }

    @Test
    void whatIsRememberedChangesNoMask() {
        TokenTable table = Vocabularies.pieces(10);
        Automaton automaton = SPECS.getFirst().compile();
        TokenGuide forgetful = new TokenGuide(automaton, table, 3);
        TokenGuide guide = new TokenGuide(automaton, table);
        Ints log = Walk.of(guide, table, new Random(4), 200, () -> Walk.CLOSING).completion();

        GuideState one = guide.start();
        GuideState two = forgetful.start();
        for (int i = 0; i < log.size(); i++) {
            assertThat(ids(forgetful.mask(two))).isEqualTo(ids(guide.mask(one)));
            one = guide.advance(one, log.get(i));
            two = forgetful.advance(two, log.get(i));
            assertThat(two).isEqualTo(one);
        }
    }

    @Test
    void moreMasksThanAreKeptAreMadeAgain() {
        TokenTable table = Vocabularies.bytes();
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "a{3000}").compile(), table);
        for (int round = 0; round < 2; round++) {
            GuideState state = guide.start();
            for (int i = 0; i < 3_000; i++) {
                assertThat(guide.mask(state).next(0)).isEqualTo(2 + 'a');
                state = guide.advance(state, 2 + 'a');
            }
            assertThat(guide.mask(state).next(0)).isEqualTo(table.endOfText().get(0));
        }
    }

    @Test
    void afterTheEndOnlyTheEndMayCome() {
        TokenTable table = Vocabularies.bytes();
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "a*").compile(), table);
        int end = table.endOfText().get(1);

        GuideState ended = guide.advance(guide.start(), end);

        assertThat(ended.ended()).isTrue();
        assertThat(ids(guide.mask(ended))).isEqualTo(table.endOfText());
        assertThat(guide.advance(ended, end)).isEqualTo(ended);
        assertThatThrownBy(() -> guide.advance(ended, 2 + 'a'))
                .isInstanceOf(GuideException.class)
                .hasMessageContaining("token 99 is not allowed by the guide");
        assertThat(guide.start()).isNotEqualTo(ended);
    }

    @Test
    void tokensWithoutTextAreNeverAllowed() {
        TokenTable table = Vocabularies.pieces(11);
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "(.|\\n)*").compile(), table);

        TokenMask mask = guide.mask(guide.start());

        assertThat(mask.allows(0)).isFalse();
        assertThat(mask.allows(1)).isFalse();
        assertThat(mask.allows(-1)).isFalse();
        assertThat(mask.allows(table.size())).isFalse();
        assertThat(mask.allows(2 + 'a')).isTrue();
        assertThat(mask.allows(2 + 0xe2)).isTrue();
        assertThat(mask.allows(2 + 0x82)).isFalse();
        assertThatThrownBy(() -> guide.advance(guide.start(), 0)).hasMessageContaining("it stands for no text");
        assertThatThrownBy(() -> guide.advance(guide.start(), 2 + 0x82))
                .hasMessageContaining("its byte 0, 0x82, fits no text of the guide");
    }

    @Test
    void theTextOfAnEndTokenIsNoText() {
        TokenTable table = Vocabularies.bytes();
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "</s>").compile(), table);

        assertThat(ids(guide.mask(guide.start()))).isEqualTo(Ints.of(2 + '<'));
    }

    @Test
    void aTokenAfterWhichTheVocabularyCouldNotGoOnIsNotAllowed() {
        IntFunction<byte[]> tokens =
                id -> List.of("a", "b", "ax", "xb", "axb", "").get(id).getBytes(StandardCharsets.UTF_8);
        TokenTable table = new TokenTable(6, tokens, Ints.of(5));

        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "ab|axb|axxc").compile(), table);

        assertThat(ids(guide.mask(guide.start()))).isEqualTo(Ints.of(0, 2, 4));
        GuideState a = guide.advance(guide.start(), 0);
        assertThat(ids(guide.mask(a))).isEqualTo(Ints.of(1, 3));
        GuideState ax = guide.advance(guide.start(), 2);
        assertThat(ids(guide.mask(ax))).isEqualTo(Ints.of(1));
    }

    @Test
    void refusesAVocabularyThatCannotWriteTheGuide() {
        TokenTable table = new TokenTable(2, id -> id == 0 ? new byte[] {'a'} : new byte[0], Ints.of(1));

        assertThatThrownBy(() -> new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "ab").compile(), table))
                .isInstanceOf(GuideException.class)
                .hasMessage("no text of the guide can be written by single-byte tokens of this vocabulary"
                        + " (TokenTable[tokens=2, longest=1 bytes]); it needs a token for every byte");
    }

    @Test
    void refusesAVocabularyThatCannotEnd() {
        assertThatThrownBy(() -> new TokenTable(2, id -> new byte[] {1}, Ints.of()))
                .isInstanceOf(GuideException.class)
                .hasMessage("end-of-text tokens are [], expected at least one of the 2 tokens: a guided text must be"
                        + " able to end");
        assertThatThrownBy(() -> new TokenTable(2, id -> new byte[] {1}, Ints.of(2)))
                .isInstanceOf(GuideException.class);
    }

    @Test
    void refusesAChoiceThatIsNone() {
        refuses("[]", "choice: 0 elements, expected an array of 1 to 10000 strings");
        refuses("{}", "choice: {}, expected an array of 1 to 10000 strings");
        refuses("[1]", "choice: 1 is no string");
        refuses("[\"a\"] 1", "choice: no valid JSON");
        refuses("", "choice: ");
    }

    private static void refuses(String source, String message) {
        assertThatThrownBy(() -> new GuideSpec(GuideSpec.Kind.CHOICE, source).compile())
                .isInstanceOf(GuideException.class)
                .hasMessageContaining(message);
    }

    private static Ints ids(TokenMask mask) {
        int[] ids = new int[mask.count()];
        int at = 0;
        for (int id = mask.next(0); id >= 0; id = mask.next(id + 1)) {
            ids[at++] = id;
        }
        return Ints.of(ids);
    }
}
