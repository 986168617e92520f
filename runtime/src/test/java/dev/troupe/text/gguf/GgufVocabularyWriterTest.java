package dev.troupe.text.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.TokenizerFiles;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.gguf.GgufFile;
import dev.troupe.weights.gguf.GgufMetadata;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufVocabularyWriterTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    private static ModelConfig config(int vocabularySize, @Nullable Integer bos, Integer... ends) {
        return new ModelConfig(
                "llama",
                1,
                64,
                96,
                4,
                2,
                16,
                vocabularySize,
                128,
                1e-5f,
                new RopeConfig(10_000, new RopeConfig.None()),
                0,
                List.of(false),
                true,
                false,
                false,
                false,
                false,
                bos,
                List.of(ends));
    }

    private GgufMetadata written(Path directory, ModelConfig config) throws IOException {
        GgufWriter writer = new GgufWriter().text("general.architecture", "llama");
        GgufVocabularyWriter.of(directory, config).accept(writer);
        Path file = folder.resolve("written.gguf");
        writer.write(file);
        return GgufFile.open(file).metadata();
    }

    /** A directory with that {@code tokenizer.json}. */
    private Path directory(JsonNode json) throws IOException {
        Path directory = Files.createDirectories(folder.resolve("model"));
        JSON.writeValue(directory.resolve("tokenizer.json").toFile(), json);
        return directory;
    }

    @Test
    void theBundledModelHasTheSameIdsFromAGgufFile() throws IOException {
        GgufMetadata written = written(TokenizerFiles.oursFile().resolveSibling("."), config(2048, 2046, 2047));
        Tokenizer tokenizer = GgufTokenizer.of(written).orElseThrow();

        assertThat(TokenizerFiles.oursVectors()).hasSize(56).allSatisfy(vector -> {
            assertThat(tokenizer.encode(vector.text()).stream().boxed()).containsExactlyElementsOf(vector.ids());
            assertThat(tokenizer.encodeWithoutSpecial(vector.text()).stream().boxed())
                    .containsExactlyElementsOf(vector.idsNoSpecial());
        });
        assertThat(written.text("tokenizer.ggml.pre")).contains("gpt-2");
        assertThat(written.integer("tokenizer.ggml.bos_token_id")).hasValue(2046);
        assertThat(written.integer("tokenizer.ggml.eos_token_id")).hasValue(2047);
        assertThat(written.text("tokenizer.chat_template"))
                .hasValueSatisfying(template -> assertThat(template).startsWith("{{ bos_token }}{% for"));
    }

    @ParameterizedTest
    @CsvSource({
        "tokenizers/gpt2/tokenizer.json,tokenizers/gpt2/vectors.json,50257,50256",
        "models/stories260K/tokenizer.json,models/stories260K/tokenizer.vectors.json,512,2"
    })
    void realTokenizersHaveTheSameIdsFromAGgufFile(String json, String vectors, int size, int end) throws IOException {
        Path file = TokenizerFiles.shared(json);
        Tokenizer tokenizer = GgufTokenizer.of(written(file.resolveSibling("."), config(size, end == 2 ? 1 : end, end)))
                .orElseThrow();

        assertThat(TokenizerFiles.vectors(TokenizerFiles.shared(vectors)))
                .hasSizeGreaterThan(9)
                .allSatisfy(vector -> {
                    assertThat(tokenizer.encode(vector.text()).stream().boxed())
                            .as(vector.text())
                            .containsExactlyElementsOf(vector.ids());
                    assertThat(tokenizer.encodeWithoutSpecial(vector.text()).stream()
                                    .boxed())
                            .containsExactlyElementsOf(vector.idsNoSpecial());
                });
    }

    /** The reader makes a {@code tokenizer.json} of the keys; the writer makes keys of it, and these give the same again. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "mpt", "falcon", "phi-3"})
    void realVocabulariesComeBackAsTheyWere(String name) throws IOException {
        GgufMetadata original = GgufFile.open(
                        TokenizerFiles.shared("tokenizers/gguf/ggml-vocab-%s.gguf".formatted(name)))
                .metadata();

        assertComesBack(original);
    }

    @Test
    void everyWayToCutComesBackUnderItsName() throws IOException {
        for (String pre : PreTokenizers.names()) {
            GgufMetadata original = Vocabularies.byteLevel(Vocabularies.bytes(), List.of("a b"), pre)
                    .texts("tokenizer.ggml.tokens", plus(Vocabularies.bytes(), "ab"))
                    .integers("tokenizer.ggml.token_type", Collections.nCopies(257, 1))
                    .metadata(folder);

            String found = assertComesBack(original).text("tokenizer.ggml.pre").orElseThrow();

            PreTokenizer first = PreTokenizers.of(GgufVocabulary.of(original));
            assertThat(PreTokenizers.nameOf(first.composed(), first.wholeWords(), first.steps()))
                    .contains(found);
        }
        assertThat(PreTokenizers.nameOf(
                        false, true, PreTokenizer.split(Patterns.CL100K).steps()))
                .as("the usual of several names")
                .contains("llama-bpe");
        assertThat(PreTokenizers.nameOf(
                        true, false, PreTokenizer.split(Patterns.QWEN2).steps()))
                .contains("qwen2");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aSentencePieceVocabularyComesBack(boolean prefix) throws IOException {
        GgufMetadata original = Vocabularies.sentencePiece(
                        List.of("\u2581", "a", "b", "ab", "\u2581a", "aba", "\ud83d\ude80", "a\ud83d\ude80"))
                .flag("tokenizer.ggml.add_space_prefix", prefix)
                .flag("tokenizer.ggml.add_eos_token", true)
                .metadata(folder);

        GgufMetadata written = assertComesBack(original);

        assertThat(written.flag("tokenizer.ggml.add_space_prefix")).contains(prefix);
        assertThat(written.flag("tokenizer.ggml.add_bos_token")).contains(true);
        assertThat(written.flag("tokenizer.ggml.add_eos_token")).contains(true);
        assertThat(written.integer("tokenizer.ggml.unknown_token_id")).hasValue(0);
    }

    private GgufMetadata assertComesBack(GgufMetadata original) throws IOException {
        GgufVocabulary vocabulary = GgufVocabulary.of(original);
        JsonNode json = json(original);
        Integer bos =
                vocabulary.named("bos").isPresent() ? vocabulary.named("bos").getAsInt() : null;
        Integer[] ends = vocabulary.named("eos").stream().boxed().toArray(Integer[]::new);

        GgufMetadata written = written(directory(json), config(vocabulary.size() + 7, bos, ends));

        JsonNode again = json(written);
        assertThat(again.path("model").path("merges"))
                .isEqualTo(json.path("model").path("merges"));
        assertThat(again).isEqualTo(json);
        assertThat(written.count("tokenizer.ggml.tokens"))
                .as("one for each row")
                .isEqualTo(vocabulary.size() + 7);
        return written;
    }

    private static JsonNode json(GgufMetadata metadata) throws IOException {
        GgufVocabulary vocabulary = GgufVocabulary.of(metadata);
        return metadata.text("tokenizer.ggml.model").orElseThrow().equals("gpt2")
                ? ByteLevel.json(vocabulary)
                : SentencePiece.json(vocabulary);
    }

    private static List<String> plus(List<String> tokens, String more) {
        return Stream.concat(tokens.stream(), Stream.of(more)).toList();
    }

    @Test
    void aPatternMayKeepItsMatchesOnly() throws IOException {
        ObjectNode json = (ObjectNode) json(Vocabularies.byteLevel(Vocabularies.bytes(), List.of("a b"), "qwen2")
                .texts("tokenizer.ggml.tokens", plus(Vocabularies.bytes(), "ab"))
                .integers("tokenizer.ggml.token_type", Collections.nCopies(257, 1))
                .metadata(folder));
        ObjectNode split =
                (ObjectNode) json.path("pre_tokenizer").path("pretokenizers").get(0);
        split.put("behavior", "Removed").put("invert", true);

        assertThat(written(directory(json), config(300, null)).text("tokenizer.ggml.pre"))
                .contains("qwen2");
    }

    @Test
    void upToThreeIdsEndATextAndTheTokenizersOwnComesFirst() throws IOException {
        Path model = directory(ours());
        Files.writeString(model.resolve("tokenizer_config.json"), "{\"eos_token\": {\"content\": \"<|end|>\"}}");

        GgufMetadata written = written(model, config(2048, null, 3, 4, 2047));

        assertThat(written.integer("tokenizer.ggml.eos_token_id")).hasValue(2047);
        assertThat(written.integer("tokenizer.ggml.eot_token_id")).hasValue(3);
        assertThat(written.integer("tokenizer.ggml.eom_token_id")).hasValue(4);
        assertThat(written.integer("tokenizer.ggml.bos_token_id"))
                .as("what the post-processor puts before a text")
                .hasValue(2046);
        assertThatExceptionOfType(TokenizerFormatException.class)
                .isThrownBy(() -> GgufVocabularyWriter.of(model, config(2048, null, 1, 2, 3, 4)))
                .withMessageContaining("4 ids end a text, [1, 2, 3, 4]; a GGUF file has keys for 3");
        assertThatExceptionOfType(TokenizerFormatException.class)
                .isThrownBy(() -> GgufVocabularyWriter.of(model, config(3000, null, 2500)))
                .withMessageContaining("id 2500, which is no token");
    }

    @Test
    void chatTemplatesAreTakenFromWhereverTheyStand() throws IOException {
        Path model = directory(ours());
        Files.writeString(
                model.resolve("tokenizer_config.json"),
                "{\"chat_template\": [{\"name\": \"default\", \"template\": \"A\"}, {\"name\": \"tool_use\", \"template\": \"B\"}]}");
        GgufMetadata listed = written(model, config(2048, 2046, 2047));
        Files.writeString(model.resolve("chat_template.jinja"), "C\n");
        GgufMetadata alone = written(model, config(2048, 2046, 2047));

        assertThat(listed.text("tokenizer.chat_template")).contains("A");
        assertThat(listed.texts("tokenizer.chat_templates")).containsExactly("tool_use");
        assertThat(listed.text("tokenizer.chat_template.tool_use")).contains("B");
        assertThat(alone.text("tokenizer.chat_template")).contains("C\n");
    }

    @Test
    void withoutATokenizerThereAreOnlyTheIdsOfTheConfiguration() throws IOException {
        GgufMetadata written = written(folder, config(256, 1, 2));

        assertThat(GgufVocabularyWriter.of(folder, config(256, 1, 2)).hasVocabulary())
                .isFalse();
        assertThat(GgufTokenizer.of(written)).isEmpty();
        assertThat(written.integer("tokenizer.ggml.bos_token_id")).hasValue(1);
        assertThat(written.integer("tokenizer.ggml.eos_token_id")).hasValue(2);
    }

    private static ObjectNode ours() throws IOException {
        return (ObjectNode) JSON.readTree(TokenizerFiles.oursFile().toFile());
    }

    static Stream<Arguments> refused() {
        return Stream.of(
                bad(
                        "ways that a GGUF file can name: chatglm-bpe, command-r",
                        json -> ((ObjectNode) json.path("pre_tokenizer")).put("add_prefix_space", true)),
                bad(
                        "none of the ways that a GGUF file can name",
                        json -> ((ObjectNode) json.path("model")).put("ignore_merges", true)),
                bad(
                        "none of the ways that a GGUF file can name",
                        json -> json.putObject("normalizer").put("type", "Lowercase")),
                bad("none of the ways that a GGUF file can name", json -> {
                    ObjectNode sequence = json.putObject("pre_tokenizer").put("type", "Sequence");
                    ArrayNode steps = sequence.putArray("pretokenizers");
                    steps.addObject()
                            .put("type", "Split")
                            .put("behavior", "Isolated")
                            .putObject("pattern")
                            .put("Regex", "\\p{N}{1,7}");
                    steps.addObject()
                            .put("type", "ByteLevel")
                            .put("add_prefix_space", false)
                            .put("use_regex", false);
                }),
                bad(
                        "neither those of a byte-level vocabulary nor SentencePiece's",
                        json -> json.putNull("pre_tokenizer")),
                bad(
                        "its decoder or model.byte_fallback",
                        json -> json.putObject("decoder").put("type", "Fuse")),
                bad(
                        "model.type = Unigram cannot be written",
                        json -> ((ObjectNode) json.path("model")).put("type", "Unigram")),
                bad(
                        "model.dropout = 0.1, which a GGUF file cannot say",
                        json -> ((ObjectNode) json.path("model")).put("dropout", 0.1)),
                bad(
                        "'<|begin|>' has lstrip = true",
                        json -> ((ObjectNode) json.path("added_tokens").get(0)).put("lstrip", true)),
                bad(
                        "'<|begin|>' has the id 2048, expected 0 to 2047",
                        json -> ((ObjectNode) json.path("added_tokens").get(0)).put("id", 2048)),
                bad(
                        "id 0 is '!' and '<|begin|>', expected one token for an id",
                        json -> ((ObjectNode) json.path("added_tokens").get(0)).put("id", 0)),
                bad("is no token", json -> ((ArrayNode) json.path("model").path("merges")).insert(0, "\u0120 zzz")),
                bad(
                        "model.merges is absent or empty",
                        json -> ((ArrayNode) json.path("model").path("merges")).removeAll()),
                bad(
                        "its post_processor does more",
                        json -> ((ArrayNode) json.path("post_processor").path("single"))
                                .addObject()
                                .putObject("Sequence")
                                .put("id", "B")),
                bad("its post_processor does more", json -> {
                    ArrayNode single = (ArrayNode) json.path("post_processor").path("single");
                    single.insert(0, single.get(0).deepCopy());
                }),
                bad(
                        "its post_processor does more",
                        json -> json.putObject("post_processor").put("type", "BertProcessing")));
    }

    private static Arguments bad(String says, Consumer<ObjectNode> change) {
        return Arguments.of(says, change);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refused")
    void refusesWhatAGgufFileCannotSay(String says, Consumer<ObjectNode> change) throws IOException {
        ObjectNode json = ours();
        change.accept(json);
        Path model = directory(json);

        assertThatExceptionOfType(TokenizerFormatException.class)
                .isThrownBy(() -> GgufVocabularyWriter.of(model, config(2048, 2046, 2047)))
                .withMessageContaining("tokenizer.json: ")
                .withMessageContaining(says);
    }

    @Test
    void refusesMergesThatNoScoresMake() throws IOException {
        ObjectNode json = (ObjectNode) json(
                Vocabularies.sentencePiece(List.of("a", "b", "ab", "ba", "aba")).metadata(folder));
        ArrayNode merges = (ArrayNode) json.path("model").path("merges");
        assertThat(merges).hasSize(4);
        ArrayNode fewer = merges.deepCopy();
        fewer.remove(3);
        ArrayNode apart = merges.deepCopy();
        apart.add(apart.remove(2)).insert(0, apart.remove(2));

        for (ArrayNode changed : List.of(fewer, apart)) {
            ((ObjectNode) json.path("model")).set("merges", changed);
            Path model = directory(json);
            assertThatExceptionOfType(TokenizerFormatException.class)
                    .isThrownBy(() -> GgufVocabularyWriter.of(model, config(300, 1, 2)))
                    .withMessageContaining("its merges are not those of a SentencePiece vocabulary")
                    .withMessageContaining(
                            changed.equals(fewer) ? "are not joined" : "the ways to join 'aba' do not stand together");
        }
    }
}
