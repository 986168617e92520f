package dev.troupe.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {

    @Test
    void givesTheLibrarysIdsForEveryVectorOfOurTokenizer() throws IOException {
        assertVectors(TokenizerFiles.ours(), TokenizerFiles.oursVectors(), 56);
    }

    @Test
    void ignoresTheTruncationThatGpt2sFileAsksFor() throws IOException {
        Path folder = TokenizerFiles.shared("tokenizers/gpt2");
        Tokenizer gpt2 = Tokenizer.load(folder.resolve("tokenizer.json"));

        assertVectors(gpt2, TokenizerFiles.vectors(folder.resolve("vectors.json")), 50);
        assertThat(gpt2.encode("word ".repeat(1000)).size()).isGreaterThan(999);
    }

    @Test
    void readsSentencePieceWithByteFallback() throws IOException {
        Path folder = TokenizerFiles.shared("models/stories260K");

        assertVectors(
                Tokenizer.load(folder.resolve("tokenizer.json")),
                TokenizerFiles.vectors(folder.resolve("tokenizer.vectors.json")),
                10);
    }

    private static void assertVectors(Tokenizer tokenizer, List<TokenizerFiles.Vector> vectors, int least) {
        assertThat(vectors).hasSizeGreaterThanOrEqualTo(least);
        for (TokenizerFiles.Vector vector : vectors) {
            assertThat(tokenizer.encode(vector.text())).as(vector.text()).isEqualTo(ints(vector.ids()));
            assertThat(tokenizer.encodeWithoutSpecial(vector.text()))
                    .as(vector.text())
                    .isEqualTo(ints(vector.idsNoSpecial()));
            assertThat(tokenizer.decode(ints(vector.idsNoSpecial()))).isEqualTo(vector.decoded());
        }
    }

    private static Ints ints(List<Integer> ids) {
        return Ints.of(ids.stream().mapToInt(Integer::intValue).toArray());
    }

    @Test
    void knowsItsSpecialTokens() throws IOException {
        Tokenizer tokenizer = TokenizerFiles.ours();

        assertThat(tokenizer.size()).isEqualTo(2048);
        assertThat(tokenizer.id("<|begin|>")).hasValue(2046);
        assertThat(tokenizer.id("no such token")).isEmpty();
        assertThat(tokenizer.isSpecial(2047)).isTrue();
        assertThat(tokenizer.isSpecial(421)).isFalse();
        assertThat(tokenizer.isSpecial(-1)).isFalse();
        assertThat(tokenizer.bytes(430)).asString(StandardCharsets.UTF_8).isEqualTo(" upon");
        assertThat(tokenizer.bytes(2046)).isEmpty();
        assertThat(tokenizer.bytes(4711)).isEmpty();
    }

    @Test
    void takesHalfACharacterForAReplacementCharacter() throws IOException {
        Tokenizer tokenizer = TokenizerFiles.ours();

        assertThat(tokenizer.decode(tokenizer.encode("a\ud83d b \ude00c 😀"))).isEqualTo("a\ufffd b \ufffdc 😀");
    }

    @Test
    void encodesTheNullCharacter() throws IOException {
        Tokenizer tokenizer = TokenizerFiles.ours();

        assertThat(tokenizer.decode(tokenizer.encode("a\0b"))).isEqualTo("a\0b");
    }

    @Test
    void saysWhatIsWrongWithAFile(@TempDir Path folder) throws IOException {
        assertRefused(folder, "{\"model\":", "no JSON: Unexpected end-of-input");
        assertRefused(folder, "{}", "model.vocab is neither an object nor an array");
        assertRefused(
                folder, model("{\"a\":0,\"b\":0}", "{\"type\":\"ByteLevel\"}"), "id 0 has two tokens, \"a\" and \"b\"");
        assertRefused(folder, model("{\"a\":-1}", "{\"type\":\"ByteLevel\"}"), "is -1, expected 0 to 16777215");
        assertRefused(folder, model("{\"a\":2000000000}", "{\"type\":\"ByteLevel\"}"), "is 2000000000, expected");
        assertRefused(folder, model("{\"a\":\"x\"}", "{\"type\":\"ByteLevel\"}"), "is \"x\", expected a number");
        assertRefused(
                folder,
                model("{\"a\":0}", "{\"type\":\"WordPiece\"}"),
                "decoder {\"type\":\"WordPiece\"} is not supported; supported are ByteLevel, Metaspace, and sequences");
        assertRefused(folder, model("{\"a\":0}", "{\"type\":\"ByteLevel\"}"), "the tokenizers library refuses it: ");
    }

    private static String model(String vocab, String decoder) {
        return "{\"model\":{\"type\":\"BPE\",\"vocab\":%s},\"decoder\":%s}".formatted(vocab, decoder);
    }

    private static void assertRefused(Path folder, String json, String reason) throws IOException {
        Path file = Files.writeString(folder.resolve("tokenizer.json"), json);

        assertThatThrownBy(() -> Tokenizer.load(file))
                .isInstanceOf(TokenizerFormatException.class)
                .hasMessageStartingWith(file + ": ")
                .hasMessageContaining(reason);
    }
}
