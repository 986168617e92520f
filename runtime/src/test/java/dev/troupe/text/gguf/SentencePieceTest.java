package dev.troupe.text.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.TokenizerFiles;
import dev.troupe.weights.gguf.GgufFile;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Merges made from scores join what the scores themselves say. */
class SentencePieceTest {
    private static final String SPACE = "\u2581";

    @TempDir
    Path folder;

    @Test
    void joinsByScoreNotByLength() throws IOException {
        Opened opened = open(Vocabularies.sentencePiece(List.of("bc", SPACE + "a", "abc", "ab", "a", "b", "c", SPACE)));

        assertThat(opened.tokens("abc")).containsExactly(SPACE + "a", "bc");
        assertThat(opened.tokens("babc")).containsExactly(SPACE, "b", "abc");
    }

    @Test
    void aTokenIsJoinedFromTheLeftFirst() throws IOException {
        VocabularyFile file = Vocabularies.sentencePiece(List.of("aaa", "aa", "a", SPACE));
        List<Float> equal = new ArrayList<>(Collections.nCopies(265, 0f));
        Opened opened = open(file.numbers("tokenizer.ggml.scores", equal));

        assertThat(opened.tokens("aaaaa")).containsExactly(SPACE, "aaa", "aa");
    }

    @Test
    void aCharacterThatIsNoTokenBecomesItsBytes() throws IOException {
        Opened opened = open(Vocabularies.sentencePiece(List.of("a", SPACE)));

        assertThat(opened.tokens("a\u00e9")).containsExactly(SPACE, "a", "<0xC3>", "<0xA9>");
        assertThat(opened.tokens("<0x41>"))
                .containsExactly(SPACE, "<0x3C>", "<0x30>", "<0x78>", "<0x34>", "<0x31>", "<0x3E>");
        assertThat(opened.tokenizer().decode(opened.tokenizer().encode("a\u00e9<0x41>")))
                .isEqualTo("a\u00e9<0x41>");
    }

    @Test
    void aSpaceStandsBeforeATextUnlessTheFileSaysNo() throws IOException {
        VocabularyFile file = Vocabularies.sentencePiece(List.of("a", SPACE));

        assertThat(open(file).tokens("a a")).containsExactly(SPACE, "a", SPACE, "a");
        Opened without = open(file.flag("tokenizer.ggml.add_space_prefix", false));
        assertThat(without.tokens("a a")).containsExactly("a", SPACE, "a");
        assertThat(without.tokenizer().decode(without.tokenizer().encode(" a"))).isEqualTo(" a");
    }

    @Test
    void whatFollowsAPromptKeepsItsSpaceUnlessATextBegins() throws IOException {
        Tokenizer tokenizer = open(Vocabularies.sentencePiece(List.of(SPACE + "a", "a", SPACE)))
                .tokenizer();
        int word = tokenizer.id(SPACE + "a").orElseThrow();
        Ints text = tokenizer.encode("a");

        assertThat(tokenizer.detokenizerAfter(text).append(word)).isEqualTo(" a");
        for (Ints beginning : List.of(Ints.of(), Ints.of(1), text.append(tokenizer.encodeWithoutSpecial("<|role|>")))) {
            assertThat(tokenizer.detokenizerAfter(beginning).append(word)).isEqualTo("a");
        }
    }

    @Test
    void addedTokensAreFoundInATextAndSpecialOnesStandForNone() throws IOException {
        Opened opened = open(Vocabularies.sentencePiece(List.of("a", SPACE)));

        Ints ids = opened.tokenizer().encode("a<|role|><tool>a</s>");

        assertThat(opened.tokens(ids)).containsExactly("<s>", SPACE, "a", "<|role|>", "<tool>", SPACE, "a", "</s>");
        assertThat(opened.tokenizer().decode(ids)).isEqualTo("a<tool> a");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gguf/stories260K-F32.gguf", "tokenizers/gguf/ggml-vocab-phi-3.gguf"})
    void realVocabulariesJoinAsTheirScoresSay(String name) throws IOException {
        Path file = TokenizerFiles.shared(name);
        ByScore byScore = new ByScore(GgufFile.open(file).metadata());
        Tokenizer tokenizer = Vocabularies.open(file);
        Random random = new Random(7);

        for (int i = 0; i < 2000; i++) {
            String text = byScore.text(random);
            assertThat(tokenizer.encodeWithoutSpecial(text))
                    .as("text %d: %s", i, text)
                    .isEqualTo(byScore.encode(text));
        }
    }

    private Opened open(VocabularyFile file) throws IOException {
        GgufMetadata metadata = file.metadata(folder);
        return new Opened(GgufTokenizer.of(metadata).orElseThrow(), metadata.texts("tokenizer.ggml.tokens"));
    }

    private record Opened(Tokenizer tokenizer, List<String> vocabulary) {
        List<String> tokens(String text) {
            return tokens(tokenizer.encodeWithoutSpecial(text));
        }

        List<String> tokens(Ints ids) {
            return ids.stream().mapToObj(vocabulary::get).toList();
        }
    }

    /** The definition, written down as it is: of all neighbours that are a token together, the best, leftmost first. */
    private static final class ByScore {
        private final Map<String, Integer> ids = new HashMap<>();
        private final List<String> normal = new ArrayList<>();
        private final float[] scores;

        ByScore(GgufMetadata metadata) throws IOException {
            List<String> tokens = metadata.texts("tokenizer.ggml.tokens");
            Ints types = metadata.integers("tokenizer.ggml.token_type").orElseThrow();
            scores = metadata.numbers("tokenizer.ggml.scores");
            for (int id = 0; id < tokens.size(); id++) {
                if (types.get(id) == 1 || types.get(id) == 6) {
                    ids.put(tokens.get(id), id);
                }
                if (types.get(id) == 1) {
                    normal.add(tokens.get(id));
                }
            }
        }

        /** Parts of tokens, and now and then a run of one character. */
        String text(Random random) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(1, 12); i > 0; i--) {
                String token = normal.get(random.nextInt(normal.size())).replace(SPACE, " ");
                int from = token.offsetByCodePoints(0, random.nextInt(token.codePointCount(0, token.length())));
                text.append(token.substring(from));
                if (random.nextInt(8) == 0) {
                    text.append(" \n=-*\t"
                            .substring(random.nextInt(6))
                            .substring(0, 1)
                            .repeat(random.nextInt(40)));
                }
            }
            return text.toString();
        }

        Ints encode(String text) {
            List<String> symbols = new ArrayList<>();
            (" " + text).replace(" ", SPACE).codePoints().forEach(c -> symbols.add(Character.toString(c)));
            for (int at = best(symbols); at >= 0; at = best(symbols)) {
                symbols.set(at, symbols.get(at) + symbols.remove(at + 1));
            }
            return Ints.of(symbols.stream()
                    .flatMapToInt(symbol -> idsOf(symbol).stream())
                    .toArray());
        }

        private int best(List<String> symbols) {
            int best = -1;
            float score = 0;
            for (int i = 0; i + 1 < symbols.size(); i++) {
                Integer id = ids.get(symbols.get(i) + symbols.get(i + 1));
                if (id != null && (best < 0 || scores[id] > score)) {
                    best = i;
                    score = scores[id];
                }
            }
            return best;
        }

        private Ints idsOf(String symbol) {
            Integer id = ids.get(symbol);
            if (id != null) {
                return Ints.of(id);
            }
            byte[] utf8 = symbol.getBytes(StandardCharsets.UTF_8);
            int[] bytes = new int[utf8.length];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = Objects.requireNonNull(ids.get("<0x%02X>".formatted(utf8[i] & 0xff)));
            }
            return Ints.of(bytes);
        }
    }
}
