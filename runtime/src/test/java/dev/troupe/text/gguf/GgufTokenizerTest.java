package dev.troupe.text.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.TokenizerFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufTokenizerTest {
    @TempDir
    Path folder;

    @Test
    void aVocabularyOfBytesGivesTheIdsOfTheJsonItWasMadeFrom() throws IOException {
        JsonNode ours = new ObjectMapper().readTree(TokenizerFiles.oursFile().toFile());
        VocabularyFile file = Vocabularies.ofJson(ours, "gpt-2")
                .integer("tokenizer.ggml.bos_token_id", 2046)
                .integer("tokenizer.ggml.eos_token_id", 2047)
                .flag("tokenizer.ggml.add_bos_token", true);

        Tokenizer tokenizer = GgufTokenizer.of(file.metadata(folder)).orElseThrow();

        assertVectors(tokenizer, TokenizerFiles.oursVectors(), 56);
        assertThat(tokenizer.size()).isEqualTo(2048);
        assertThat(tokenizer.isSpecial(2047)).isTrue();
    }

    @Test
    void theSentencePieceVocabularyOfAStoryModelGivesTheIdsOfItsJson() throws IOException {
        Path vectors = TokenizerFiles.shared("models/stories260K/tokenizer.vectors.json");

        Tokenizer tokenizer = Vocabularies.open(TokenizerFiles.shared("gguf/stories260K-F32.gguf"));

        assertVectors(tokenizer, TokenizerFiles.vectors(vectors), 10);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "mpt", "falcon", "phi-3"})
    void realVocabulariesGiveTheIdsOfTheirVectors(String name) throws IOException {
        Path file = TokenizerFiles.shared("tokenizers/gguf/ggml-vocab-%s.gguf".formatted(name));
        List<String> texts = texts(file);
        List<Ints> ids = ids(file);

        Tokenizer tokenizer = Vocabularies.open(file);

        assertThat(texts).hasSize(47).hasSameSizeAs(ids);
        for (int i = 0; i < texts.size(); i++) {
            assertThat(tokenizer.encodeWithoutSpecial(texts.get(i)))
                    .as("vector %d, %s", i, texts.get(i))
                    .isEqualTo(ids.get(i));
            assertThat(tokenizer.decode(ids.get(i))).isEqualTo(texts.get(i));
        }
    }

    /** It is the vocabulary of {@code mpt}, in a file that does not say how texts are cut. */
    @Test
    void aFileFromBeforeThePreKeyIsReadByItsArchitecture() throws IOException {
        Path mpt = TokenizerFiles.shared("tokenizers/gguf/ggml-vocab-mpt.gguf");
        List<String> texts = texts(mpt);
        List<Ints> ids = ids(mpt);

        Tokenizer tokenizer = Vocabularies.open(TokenizerFiles.shared("tokenizers/gguf/ggml-vocab-gpt-neox.gguf"));

        for (int i = 0; i < texts.size(); i++) {
            assertThat(tokenizer.encodeWithoutSpecial(texts.get(i)))
                    .as(texts.get(i))
                    .isEqualTo(ids.get(i));
        }
    }

    @Test
    void aFileWithoutVocabularyHasNoTokenizer() throws IOException {
        assertThat(GgufTokenizer.of(
                        new VocabularyFile().text("general.name", "weights").metadata(folder)))
                .isEmpty();
        assertThat(GgufTokenizer.of(new VocabularyFile()
                        .text("tokenizer.ggml.model", "none")
                        .metadata(folder)))
                .isEmpty();
    }

    /** The last one is empty, as is the line of its ids. */
    private static List<String> texts(Path file) throws IOException {
        String all = Files.readString(TokenizerFiles.sibling(file, ".inp"));
        return List.of(all.split("\n__ggml_vocab_test__\n", -1));
    }

    private static List<Ints> ids(Path file) throws IOException {
        return Stream.of(Files.readString(TokenizerFiles.sibling(file, ".out")).split("\n", -1))
                .map(line -> Ints.of(Stream.of(line.split(" "))
                        .filter(id -> !id.isEmpty())
                        .mapToInt(Integer::parseInt)
                        .toArray()))
                .toList();
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
}
