package dev.troupe.text.gguf;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.model.ModelConfig;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.text.gguf.PreTokenizer.Step;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The vocabulary of a directory in Hugging Face's layout as keys {@code tokenizer.*} of a GGUF file: what
 * {@link GgufTokenizer} reads, the other way round, so that a text has the same ids. What such keys cannot say is refused.
 * Without a {@code tokenizer.json} there are only the ids that begin and end a text.
 */
public final class GgufVocabularyWriter implements Consumer<GgufWriter> {
    private static final String PREFIX = "tokenizer.ggml.";

    /** Keys of tokens that end a text or a turn. */
    private static final List<String> ENDS = List.of("eos_token_id", "eot_token_id", "eom_token_id");

    private final List<Consumer<GgufWriter>> keys = new ArrayList<>();
    private final boolean vocabulary;

    private GgufVocabularyWriter(boolean vocabulary) {
        this.vocabulary = vocabulary;
    }

    /**
     * Reads the files of a directory.
     *
     * @param directory null for a model without one
     * @param config of the model: how many tokens it has, and which begin and end a text
     * @throws TokenizerFormatException if the vocabulary is malformed, or of a kind that a GGUF file cannot have
     */
    public static GgufVocabularyWriter of(@Nullable Path directory, ModelConfig config) throws IOException {
        Path file = directory == null ? null : directory.resolve("tokenizer.json");
        if (directory == null || file == null || !Files.isRegularFile(file)) {
            GgufVocabularyWriter writer = new GgufVocabularyWriter(false);
            writer.addModel("none");
            writer.addIds(
                    config.bosToken(), new LinkedHashSet<>(config.eosTokens()), file == null ? "" : file.toString());
            return writer;
        }
        try {
            JsonNode json = new ObjectMapper().readTree(file.toFile());
            TokenTable table = TokenTable.of(file.toString(), json, config.vocabularySize());
            GgufVocabularyWriter writer = new GgufVocabularyWriter(true);
            writer.addAll(table, json, config, TokenizerSettings.read(directory));
            return writer;
        } catch (JsonProcessingException e) {
            throw new TokenizerFormatException(directory.toString(), "no JSON: " + e.getOriginalMessage());
        }
    }

    /** Whether there are tokens. */
    public boolean hasVocabulary() {
        return vocabulary;
    }

    /** Adds all keys. */
    @Override
    public void accept(GgufWriter writer) {
        keys.forEach(key -> key.accept(writer));
    }

    private void addAll(TokenTable table, JsonNode json, ModelConfig config, TokenizerSettings settings)
            throws TokenizerFormatException {
        JsonNode model = json.path("model");
        refuse(table, model);
        TextEnds around = TextEnds.of(json.path("post_processor"))
                .orElseThrow(
                        () -> table.refused(
                                "its post_processor does more than put one token before and one behind a text, which is all that a GGUF file can say"));
        if (PreTokenizerSteps.isByteLevel(json.path("pre_tokenizer"))) {
            addByteLevel(table, json);
        } else {
            addSentencePiece(table, json);
        }
        keys.add(writer -> writer.flag(PREFIX + "add_bos_token", around.begin().isPresent())
                .flag(PREFIX + "add_eos_token", around.end().isPresent()));
        Set<Integer> ends = new LinkedHashSet<>();
        around.end().ifPresent(ends::add);
        int named = table.id(settings.eosToken());
        if (config.eosTokens().contains(named)) {
            ends.add(named);
        }
        ends.addAll(config.eosTokens());
        Integer begin =
                around.begin().isPresent() ? Integer.valueOf(around.begin().getAsInt()) : config.bosToken();
        requireTokens(table, begin, ends);
        addIds(begin, ends, table.file());
        keys.add(settings::addTo);
    }

    private static void refuse(TokenTable table, JsonNode model) throws TokenizerFormatException {
        if (!model.path("type").asText("BPE").equals("BPE")) {
            throw table.refused("model.type = %s cannot be written to a GGUF file, only BPE can"
                    .formatted(model.path("type").asText()));
        }
        for (String key : List.of("dropout", "continuing_subword_prefix", "end_of_word_suffix")) {
            if (!model.path(key).asText("").isEmpty() && !model.path(key).isNull()) {
                throw table.refused("model.%s = %s, which a GGUF file cannot say".formatted(key, model.path(key)));
            }
        }
    }

    private void addByteLevel(TokenTable table, JsonNode json) throws TokenizerFormatException {
        List<JsonNode> normalizers = PreTokenizerSteps.parts(json.path("normalizer"), "normalizers");
        boolean composed = normalizers.size() == 1 && PreTokenizerSteps.isType(normalizers.getFirst(), "NFC");
        List<Step> steps = PreTokenizerSteps.of(json.path("pre_tokenizer")).orElse(List.of());
        boolean wholeWords = json.path("model").path("ignore_merges").asBoolean();
        String pre = PreTokenizers.nameOf(composed, wholeWords, steps)
                .filter(name -> composed || normalizers.isEmpty())
                .orElseThrow(() -> table.refused(
                        "how it cuts texts into words (normalizer, pre_tokenizer and model.ignore_merges) is none of the ways that a GGUF file can name: %s"
                                .formatted(String.join(", ", PreTokenizers.names()))));
        if (!PreTokenizerSteps.isType(json.path("decoder"), "ByteLevel")
                || json.path("model").path("byte_fallback").asBoolean()) {
            throw table.refused("its decoder or model.byte_fallback is not that of a byte-level vocabulary");
        }
        List<String> merges = new Merges(table, json.path("model").path("merges")).lines();
        addModel("gpt2");
        keys.add(writer -> writer.text(PREFIX + "pre", pre)
                .texts(PREFIX + "tokens", table.tokens())
                .integers(PREFIX + "token_type", table.typeNumbers())
                .texts(PREFIX + "merges", merges));
    }

    private void addSentencePiece(TokenTable table, JsonNode json) throws TokenizerFormatException {
        boolean prefix = hasPrefix(table, json);
        JsonNode model = json.path("model");
        if (!model.path("fuse_unk").asBoolean() || model.path("ignore_merges").asBoolean()) {
            throw table.refused("model.fuse_unk = %s, model.ignore_merges = %s, expected true and false"
                    .formatted(model.path("fuse_unk"), model.path("ignore_merges")));
        }
        float[] scores = new Merges(table, model.path("merges")).scores();
        int unknown = table.id(model.path("unk_token").asText(""));
        addModel("llama");
        keys.add(writer -> {
            writer.text(PREFIX + "pre", "default")
                    .texts(PREFIX + "tokens", table.tokens())
                    .numbers(PREFIX + "scores", scores)
                    .integers(PREFIX + "token_type", table.typeNumbers())
                    .flag(PREFIX + "add_space_prefix", prefix);
            if (unknown >= 0) {
                writer.integer(PREFIX + "unknown_token_id", unknown);
            }
        });
    }

    /** Whether a space is put before a text; everything else must be as SentencePiece does it. */
    private static boolean hasPrefix(TokenTable table, JsonNode json) throws TokenizerFormatException {
        for (boolean prefix : new boolean[] {true, false}) {
            if (isWritten(json, prefix)
                    && PreTokenizerSteps.parts(json.path("decoder"), "decoders")
                            .equals(PreTokenizerSteps.parts(SentencePiece.decoder(prefix), "decoders"))) {
                return prefix;
            }
        }
        throw table.refused(
                "its normalizer, pre_tokenizer and decoder are neither those of a byte-level vocabulary nor SentencePiece's, the kinds that a GGUF file can have");
    }

    /** By the normalizer, or by a step that writes spaces so and cuts nothing. */
    private static boolean isWritten(JsonNode json, boolean prefix) {
        List<JsonNode> normalizers = PreTokenizerSteps.parts(json.path("normalizer"), "normalizers");
        List<JsonNode> steps = PreTokenizerSteps.parts(json.path("pre_tokenizer"), "pretokenizers");
        if (steps.isEmpty()) {
            return normalizers.equals(PreTokenizerSteps.parts(SentencePiece.normalizer(prefix), "normalizers"));
        }
        JsonNode only = steps.getFirst();
        return !prefix
                && normalizers.isEmpty()
                && steps.size() == 1
                && PreTokenizerSteps.isType(only, "Metaspace")
                && only.path("replacement").asText().equals(SentencePiece.SPACE)
                && only.path("prepend_scheme").asText().equals("never")
                && !only.path("split").asBoolean(true);
    }

    private void addModel(String model) {
        keys.add(writer -> writer.text(PREFIX + "model", model));
    }

    private static void requireTokens(TokenTable table, @Nullable Integer begin, Set<Integer> ends)
            throws TokenizerFormatException {
        Set<Integer> all = new LinkedHashSet<>(ends);
        if (begin != null) {
            all.add(begin);
        }
        for (int id : all) {
            if (!table.has(id)) {
                throw table.refused(
                        "the configuration begins or ends a text with id %d, which is no token".formatted(id));
            }
        }
    }

    private void addIds(@Nullable Integer begin, Set<Integer> ends, String file) throws TokenizerFormatException {
        if (ends.size() > ENDS.size()) {
            throw new TokenizerFormatException(
                    file,
                    "%d ids end a text, %s; a GGUF file has keys for %d".formatted(ends.size(), ends, ENDS.size()));
        }
        List<Integer> ordered = List.copyOf(ends);
        keys.add(writer -> {
            if (begin != null) {
                writer.integer(PREFIX + "bos_token_id", begin);
            }
            for (int i = 0; i < ordered.size(); i++) {
                writer.integer(PREFIX + ENDS.get(i), ordered.get(i));
            }
        });
    }
}
