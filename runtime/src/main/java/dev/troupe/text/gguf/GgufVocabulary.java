package dev.troupe.text.gguf;

import dev.troupe.tensor.Ints;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufMetadata;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * The tokens of a GGUF file by id, each with its type, and the {@code tokenizer.ggml.*} keys beside them (GGUF
 * specification, "Tokenizer"). Checked: there are as many types as tokens, and no two ids have the same token. An empty
 * token stands for an id that nothing is written with.
 */
final class GgufVocabulary {
    private static final String PREFIX = "tokenizer.ggml.";
    private static final int MOST_TOKENS = 1 << 24;

    private final GgufMetadata metadata;
    private final List<String> tokens;
    private final List<TokenType> types;
    private final Map<String, Integer> ids;

    private GgufVocabulary(
            GgufMetadata metadata, List<String> tokens, List<TokenType> types, Map<String, Integer> ids) {
        this.metadata = metadata;
        this.tokens = tokens;
        this.types = types;
        this.ids = ids;
    }

    /**
     * Reads the tokens and their types.
     *
     * @throws TokenizerFormatException if they contradict each other
     * @throws WeightFormatException if a key has a value of another kind
     */
    static GgufVocabulary of(GgufMetadata metadata) throws TokenizerFormatException, WeightFormatException {
        List<String> tokens = metadata.texts(PREFIX + "tokens");
        if (tokens.isEmpty() || tokens.size() > MOST_TOKENS) {
            throw new TokenizerFormatException(
                    metadata.file(),
                    "metadata key %stokens has %d tokens, expected 1 to %d"
                            .formatted(PREFIX, tokens.size(), MOST_TOKENS));
        }
        return new GgufVocabulary(metadata, tokens, types(metadata, tokens.size()), ids(metadata, tokens));
    }

    private static List<TokenType> types(GgufMetadata metadata, int size)
            throws TokenizerFormatException, WeightFormatException {
        Ints numbers = metadata.integers(PREFIX + "token_type").orElse(Ints.of());
        if (numbers.size() != size) {
            throw new TokenizerFormatException(
                    metadata.file(),
                    "metadata key %stoken_type has %d types, expected one for each of the %d tokens"
                            .formatted(PREFIX, numbers.size(), size));
        }
        List<TokenType> types = new ArrayList<>(size);
        for (int id = 0; id < size; id++) {
            int number = numbers.get(id);
            int at = id;
            types.add(TokenType.of(number)
                    .orElseThrow(() -> new TokenizerFormatException(
                            metadata.file(),
                            "token %d is of type %d, expected 1 to %d"
                                    .formatted(at, number, TokenType.BYTE.number()))));
        }
        return types;
    }

    private static Map<String, Integer> ids(GgufMetadata metadata, List<String> tokens)
            throws TokenizerFormatException {
        Map<String, Integer> ids = HashMap.newHashMap(tokens.size());
        for (int id = 0; id < tokens.size(); id++) {
            String token = tokens.get(id);
            Integer before = token.isEmpty() ? null : ids.put(token, id);
            if (before != null) {
                throw new TokenizerFormatException(
                        metadata.file(),
                        "ids %d and %d have the same token %s"
                                .formatted(before, id, WeightFormatException.shown(token)));
            }
        }
        return ids;
    }

    /** The file, for messages. */
    String file() {
        return metadata.file();
    }

    GgufMetadata metadata() {
        return metadata;
    }

    int size() {
        return tokens.size();
    }

    /** The token as the file writes it; empty where the id has none. */
    String token(int id) {
        return tokens.get(id);
    }

    TokenType type(int id) {
        return types.get(id);
    }

    /** The id of a token, or −1. */
    int id(String token) {
        return ids.getOrDefault(token, -1);
    }

    /**
     * The id that {@code tokenizer.ggml.NAME_token_id} gives, if the file has it.
     *
     * @param name for example {@code bos}
     * @throws TokenizerFormatException if there is no such token
     */
    OptionalInt named(String name) throws TokenizerFormatException, WeightFormatException {
        String key = PREFIX + name + "_token_id";
        OptionalLong id = metadata.integer(key);
        if (id.isEmpty()) {
            return OptionalInt.empty();
        }
        long value = id.getAsLong();
        if (value < 0 || value >= size() || token((int) value).isEmpty()) {
            throw new TokenizerFormatException(
                    file(), "metadata key %s = %d names no token, expected 0 to %d".formatted(key, value, size() - 1));
        }
        return OptionalInt.of((int) value);
    }

    /** The flag {@code tokenizer.ggml.NAME}, or {@code otherwise} if the file does not have it. */
    boolean flag(String name, boolean otherwise) throws WeightFormatException {
        return metadata.flag(PREFIX + name).orElse(otherwise);
    }

    /** A failed check. */
    TokenizerFormatException refused(String reason) {
        return new TokenizerFormatException(file(), reason);
    }
}
