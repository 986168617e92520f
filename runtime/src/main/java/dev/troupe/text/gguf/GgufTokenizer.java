package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufMetadata;
import java.util.Optional;

/**
 * The tokenizer that the metadata of a GGUF file describes. The vocabulary is turned into a {@code tokenizer.json} in
 * memory, so that a model has one tokenizer whatever file it comes from. {@code tokenizer.ggml.model} says what kind it is;
 * byte-level BPE ({@code gpt2}) and SentencePiece's BPE ({@code llama}) are supported.
 */
public final class GgufTokenizer {
    private static final String MODEL = "tokenizer.ggml.model";

    private GgufTokenizer() {}

    /**
     * Makes the tokenizer, or nothing if the file has none.
     *
     * @throws TokenizerFormatException if the vocabulary contradicts itself, or is of a kind that is not supported
     */
    public static Optional<Tokenizer> of(GgufMetadata metadata) throws TokenizerFormatException {
        try {
            Optional<String> model = metadata.text(MODEL);
            if (model.isEmpty() || model.get().equals("none") || model.get().equals("no_vocab")) {
                return Optional.empty();
            }
            return Optional.of(Tokenizer.of(metadata.file(), json(model.get(), metadata)));
        } catch (WeightFormatException e) {
            throw new TokenizerFormatException(e);
        }
    }

    private static JsonNode json(String model, GgufMetadata metadata)
            throws TokenizerFormatException, WeightFormatException {
        return switch (model) {
            case "gpt2" -> ByteLevel.json(GgufVocabulary.of(metadata));
            case "llama" -> SentencePiece.json(GgufVocabulary.of(metadata));
            default ->
                throw new TokenizerFormatException(
                        metadata.file(),
                        "metadata key %s = %s is not supported; these work: gpt2 (byte-level BPE), llama (SentencePiece)"
                                .formatted(MODEL, WeightFormatException.shown(model)));
        };
    }
}
