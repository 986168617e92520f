package dev.troupe.text.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufFile;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A vocabulary that contradicts itself is refused with a sentence; none brings the process down or keeps it busy. */
class HostileVocabularyTest {
    private static final String KEY = "tokenizer.ggml.";

    @TempDir
    Path folder;

    @Test
    void kindsThatAreNotSupportedAreRefusedByName() throws IOException {
        for (String model : List.of("bert", "t5", "rwkv", "plamo2")) {
            assertRefused(
                    bytes().text(KEY + "model", model),
                    "metadata key tokenizer.ggml.model = '%s' is not supported; these work: gpt2".formatted(model));
        }
        assertRefused(
                bytes().text(KEY + "pre", "esperanto"),
                "metadata key tokenizer.ggml.pre = 'esperanto' is not supported; these work: chatglm-bpe, command-r,"
                        + " dbrx, ");
        assertRefused(
                bytes().without(KEY + "pre"),
                "metadata key tokenizer.ggml.pre is absent or 'default', so how its texts are cut into words is not"
                        + " known; convert the model again, or set the key to one of chatglm-bpe, ");
    }

    @Test
    void listsOfOtherLengthsAreRefused() throws IOException {
        assertRefused(bytes().without(KEY + "tokens"), "tokenizer.ggml.tokens has 0 tokens, expected 1 to 16777216");
        assertRefused(
                bytes().without(KEY + "token_type"),
                "tokenizer.ggml.token_type has 0 types, expected one for each of the 258 tokens");
        assertRefused(
                pieces().numbers(KEY + "scores", List.of(1f)), "tokenizer.ggml.scores has 1 scores, expected one");
        assertRefused(pieces().without(KEY + "scores"), "tokenizer.ggml.scores has 0 scores, expected one");
        assertRefused(bytes().without(KEY + "merges"), "metadata key tokenizer.ggml.merges is absent or empty");
        assertRefused(
                bytes().integers(KEY + "tokens", List.of(1, 2)), "metadata key 'tokenizer.ggml.tokens' is of type");
        assertRefused(bytes().text(KEY + "add_eos_token", "yes"), "'tokenizer.ggml.add_eos_token' is of type");
    }

    @Test
    void tokensThatContradictEachOtherAreRefused() throws IOException {
        List<String> twice = new ArrayList<>(Vocabularies.bytes());
        twice.addAll(List.of("ab", "ab"));
        assertRefused(bytes().texts(KEY + "tokens", twice), "ids 256 and 257 have the same token 'ab'");
        List<Integer> types = new ArrayList<>(Collections.nCopies(258, 1));
        types.set(3, 9);
        assertRefused(bytes().integers(KEY + "token_type", types), "token 3 is of type 9, expected 1 to 6");
        types.set(3, 6);
        assertRefused(
                pieces().integers(KEY + "token_type", Collections.nCopies(265, 6)),
                "token 0 is of type byte and written '<unk>', expected <0x00> to <0xFF>");
    }

    @Test
    void mergesThatMakeNoTokenAreRefused() throws IOException {
        assertRefused(bytes().texts(KEY + "merges", List.of("a b", "b a")), "merge 1 is 'b a', but 'ba' is no token");
        assertRefused(bytes().texts(KEY + "merges", List.of("xx b")), "merge 0 is 'xx b', but 'xx' is no token");
        for (String merge : List.of("", " ", "ab", " ab", "ab ", "a b c", "a  b")) {
            assertRefused(
                    bytes().texts(KEY + "merges", List.of(merge)),
                    "merge 0 is '%s', expected two tokens and a space".formatted(merge));
        }
    }

    @Test
    void onlyTheFirstOfEqualMergesCounts() throws IOException {
        Tokenizer tokenizer = open(bytes().texts(KEY + "merges", List.of("a b", "b c", "a b")));

        assertThat(tokenizer.encode("abc"))
                .isEqualTo(Ints.of(256, Vocabularies.bytes().indexOf("c")));
    }

    @Test
    void scoresThatAreNoNumbersAndPiecesThatAreTooLongAreRefused() throws IOException {
        List<Float> scores = new ArrayList<>(Collections.nCopies(265, 0f));
        scores.set(264, Float.NaN);
        assertRefused(pieces().numbers(KEY + "scores", scores), "token 264 has the score NaN, expected a number");
        assertRefused(
                Vocabularies.sentencePiece(List.of("a", "a".repeat(513))),
                "token 262 has 513 characters, expected at most 512");
    }

    @Test
    void tokensThatAreNamedMustExist() throws IOException {
        assertRefused(
                bytes().flag(KEY + "add_bos_token", true),
                "a text is to get its bos token (tokenizer.ggml.add_bos_token, or what is usual for this kind), but"
                        + " metadata key tokenizer.ggml.bos_token_id is absent");
        assertRefused(
                bytes().without(KEY + "add_bos_token").text(KEY + "pre", "llama-bpe"),
                "metadata key tokenizer.ggml.bos_token_id is absent");
        assertRefused(
                pieces().integer(KEY + "eos_token_id", 265),
                "metadata key tokenizer.ggml.eos_token_id = 265 names no token, expected 0 to 264");
        assertRefused(pieces().integer(KEY + "unknown_token_id", -1), "unknown_token_id = -1 names no token");
    }

    @Test
    void aUserDefinedTokenThatEndsATextStandsForNone() throws IOException {
        VocabularyFile file = pieces().flag(KEY + "add_eos_token", true);

        assertThat(open(file).isSpecial(4)).isFalse();
        Tokenizer tokenizer = open(file.integer(KEY + "eos_token_id", 4));
        assertThat(tokenizer.isSpecial(4)).isTrue();
        assertThat(tokenizer.encode("").toArray()).containsExactly(1, 4);
    }

    @Test
    void anEmptyTokenIsAnIdThatNothingIsWrittenWith() throws IOException {
        List<String> tokens = new ArrayList<>(Vocabularies.bytes());
        tokens.addAll(List.of("", "", "ab"));

        Tokenizer tokenizer = open(Vocabularies.byteLevel(tokens, List.of("a b"), "gpt-2"));

        assertThat(tokenizer.encode("ab")).isEqualTo(Ints.of(258));
        assertThat(tokenizer.decode(Ints.of(256, 258, 257))).isEqualTo("ab");
    }

    @Test
    void aTokenThatIsNoUtf8IsKeptAsReplacementCharacters() throws IOException {
        String mark = "\u4e00\u4e01";
        List<String> tokens = new ArrayList<>(Vocabularies.bytes());
        tokens.addAll(List.of("ab", mark));
        String file = new String(
                Vocabularies.byteLevel(tokens, List.of("a b"), "gpt-2").bytes(), StandardCharsets.ISO_8859_1);
        String invalid = file.replace(
                new String(mark.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1), "\u00ff".repeat(6));

        Tokenizer tokenizer = GgufTokenizer.of(metadata(invalid.getBytes(StandardCharsets.ISO_8859_1)))
                .orElseThrow();

        assertThat(tokenizer.decode(Ints.of(257))).isEqualTo("\ufffd".repeat(6));
    }

    @Test
    void bytesThatAreChangedAtRandomGiveATokenizerOrASentence() throws IOException {
        Random random = new Random(11);
        List<byte[]> files = List.of(bytes().bytes(), pieces().bytes());
        int refused = 0;
        int made = 0;

        for (int i = 0; i < 600; i++) {
            byte[] file = files.get(i % 2).clone();
            for (int changes = random.nextInt(1, 6); changes > 0; changes--) {
                file[random.nextInt(24, file.length)] ^= (byte) (1 << random.nextInt(8));
            }
            try {
                use(GgufTokenizer.of(metadata(file)).orElse(null));
                made++;
            } catch (WeightFormatException | TokenizerFormatException e) {
                assertThat(e).hasMessageContaining("vocabulary.gguf");
                refused++;
            }
        }

        assertThat(refused).isPositive();
        assertThat(made).isPositive();
    }

    @Test
    void keysThatAreChangedAtRandomGiveATokenizerOrASentence() throws IOException {
        Random random = new Random(12);
        int made = 0;

        for (int i = 0; i < 400; i++) {
            int size = random.nextInt(1, 30);
            VocabularyFile file = (i % 2 == 0 ? bytes() : pieces())
                    .texts(
                            KEY + "tokens",
                            IntStream.range(0, size)
                                    .mapToObj(id -> token(random))
                                    .distinct()
                                    .toList());
            int tokens = (int) file.metadata(folder).count(KEY + "tokens");
            file.integers(
                            KEY + "token_type",
                            random.ints(tokens, 1, 7)
                                    .map(type -> type == 6 ? 1 : type)
                                    .boxed()
                                    .toList())
                    .numbers(
                            KEY + "scores",
                            random.ints(tokens, -3, 3)
                                    .mapToObj(score -> (float) score)
                                    .toList())
                    .texts(KEY + "merges", List.of(token(random) + " " + token(random)))
                    .integer(KEY + "bos_token_id", random.nextInt(30))
                    .integer(KEY + "eos_token_id", random.nextInt(30))
                    .integer(KEY + "unknown_token_id", random.nextInt(30));
            try {
                use(open(file));
                made++;
            } catch (TokenizerFormatException e) {
                assertThat(e).hasMessageContaining("vocabulary.gguf");
            }
        }

        assertThat(made).isPositive();
    }

    private static String token(Random random) {
        StringBuilder token = new StringBuilder();
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            token.append("ab\u2581\u00e9<>\"\\\u0000\n\ufffd".charAt(random.nextInt(11)));
        }
        return token.toString();
    }

    private static void use(@Nullable Tokenizer tokenizer) {
        if (tokenizer != null) {
            for (String text : List.of("", "ab abc <|role|><tool>", "\u00e9\n\u0000 \ud83d\ude00")) {
                tokenizer.decode(tokenizer.encode(text));
            }
            tokenizer.decode(Ints.of(IntStream.range(-1, tokenizer.size() + 1).toArray()));
        }
    }

    private void assertRefused(VocabularyFile file, String reason) throws IOException {
        GgufMetadata metadata = file.metadata(folder);
        assertThatThrownBy(() -> GgufTokenizer.of(metadata))
                .isInstanceOf(TokenizerFormatException.class)
                .hasMessageStartingWith(folder.resolve("vocabulary.gguf") + ": ")
                .hasMessageContaining(reason);
    }

    private Tokenizer open(VocabularyFile file) throws IOException {
        return GgufTokenizer.of(file.metadata(folder)).orElseThrow();
    }

    private GgufMetadata metadata(byte[] file) throws IOException {
        return GgufFile.open(Files.write(folder.resolve("vocabulary.gguf"), file))
                .metadata();
    }

    /** 256 bytes and two tokens of two. */
    private static VocabularyFile bytes() {
        List<String> tokens = new ArrayList<>(Vocabularies.bytes());
        tokens.addAll(List.of("ab", "bc"));
        return Vocabularies.byteLevel(tokens, List.of("a b", "b c"), "gpt-2");
    }

    /** 265 tokens, of which four are pieces. */
    private static VocabularyFile pieces() {
        return Vocabularies.sentencePiece(List.of("ab", "a", "b", "\u2581"));
    }
}
