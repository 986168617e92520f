package dev.troupe.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class IncrementalDetokenizerTest {
    private static final String[] WORDS = {
        "Once",
        " upon",
        "a time",
        "\n\n",
        "  ",
        "é",
        "ß",
        "日本語",
        "漢字",
        "한국어",
        "العربية",
        "हिन्दी",
        "😀",
        "👩‍👩‍👧‍👦",
        "🏳️‍🌈",
        "e\u0301",
        "\u200b",
        "\ufeff",
        "𝔘𝔫𝔦",
        "0x1p3",
        "\t",
        "<|",
        "▁",
        "Ġ",
        "\u00a0",
        "\ufffd",
        "don't"
    };

    @Test
    void givesTheWholeTextTokenByToken() throws IOException {
        assertRandomTexts(TokenizerFiles.ours());
    }

    @Test
    void givesTheWholeTextTokenByTokenOfGpt2() throws IOException {
        assertRandomTexts(Tokenizer.load(TokenizerFiles.shared("tokenizers/gpt2/tokenizer.json")));
    }

    @Test
    void givesTheWholeTextTokenByTokenOfSentencePiece() throws IOException {
        assertRandomTexts(Tokenizer.load(TokenizerFiles.shared("models/stories260K/tokenizer.json")));
    }

    private static void assertRandomTexts(Tokenizer tokenizer) {
        for (int seed = 0; seed < 300; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(30); i >= 0; i--) {
                text.append(WORDS[random.nextInt(WORDS.length)]);
            }
            Ints ids = tokenizer.encodeWithoutSpecial(text.toString());

            String whole = tokenByToken(tokenizer, ids);

            assertThat(whole).as("seed %d", seed).isEqualTo(tokenizer.decodeByLibrary(ids, true));
            assertThat(tokenizer.decode(tokenizer.encode(text.toString()))).isEqualTo(whole);
        }
    }

    /** No piece may hold half a surrogate pair, or U+FFFD for an unfinished character. */
    private static String tokenByToken(Tokenizer tokenizer, Ints ids) {
        IncrementalDetokenizer detokenizer = tokenizer.detokenizer();
        StringBuilder whole = new StringBuilder();
        for (int i = 0; i < ids.size(); i++) {
            String piece = detokenizer.append(ids.get(i));
            assertThat(StandardCharsets.UTF_8.newEncoder().canEncode(piece)).isTrue();
            whole.append(piece);
        }
        assertThat(detokenizer.finish())
                .as("the texts end with a whole character")
                .isEmpty();
        return whole.toString();
    }

    @Test
    void givesWhatTheLibraryGivesForAnyBytes() throws IOException {
        Tokenizer tokenizer = TokenizerFiles.ours();
        int replaced = 0;
        for (int seed = 0; seed < 2000; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            int limit = seed % 2 == 0 ? 256 : 2048;
            Ints ids = Ints.of(random.ints(random.nextInt(40), 0, limit).toArray());

            String whole = tokenizer.decode(ids);

            assertThat(whole).as("seed %d, ids %s", seed, ids).isEqualTo(tokenizer.decodeByLibrary(ids, true));
            replaced += whole.contains("\ufffd") ? 1 : 0;
        }
        assertThat(replaced).as("texts that were no UTF-8").isGreaterThan(1000);
    }

    @Test
    void keepsTheBytesOfAnUnfinishedCharacter() throws IOException {
        Tokenizer tokenizer = TokenizerFiles.ours();
        Ints smile = tokenizer.encodeWithoutSpecial("😀");
        assertThat(smile.size()).isEqualTo(4);
        IncrementalDetokenizer detokenizer = tokenizer.detokenizer();

        assertThat(detokenizer.append(smile.get(0))).isEmpty();
        assertThat(detokenizer.append(smile.get(1))).isEmpty();
        assertThat(detokenizer.append(smile.get(2))).isEmpty();
        assertThat(detokenizer.append(smile.get(3))).isEqualTo("😀");
        assertThat(detokenizer.finish()).isEmpty();
    }

    @Test
    void endsAnUnfinishedCharacterAsReplacementCharacter() throws IOException {
        Tokenizer tokenizer = TokenizerFiles.ours();
        IncrementalDetokenizer detokenizer = tokenizer.detokenizer();
        detokenizer.append(tokenizer.encodeWithoutSpecial("😀").get(0));

        assertThat(detokenizer.finish()).isEqualTo("\ufffd");
        assertThat(detokenizer.finish()).isEmpty();
    }

    @Test
    void leavesSpecialTokensOutUnlessAskedFor() throws IOException {
        Tokenizer tokenizer = TokenizerFiles.ours();
        Ints ids = tokenizer.encode("a<|end|>b");
        assertThat(ids).isEqualTo(Ints.of(2046, 64, 2047, 65));
        IncrementalDetokenizer all = tokenizer.detokenizerWithSpecial();
        StringBuilder written = new StringBuilder();

        ids.stream().forEach(id -> written.append(all.append(id)));

        assertThat(tokenizer.decode(ids)).isEqualTo("ab");
        assertThat(written.toString()).isEqualTo("<|begin|>a<|end|>b");
    }

    @Test
    void takesAnUnknownIdForNoText() throws IOException {
        assertThat(TokenizerFiles.ours().decode(Ints.of(64, 99_999, -1, 65))).isEqualTo("ab");
    }
}
