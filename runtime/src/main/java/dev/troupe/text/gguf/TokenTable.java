package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The tokens of a {@code tokenizer.json} by id, each with its type, as a GGUF file has them: one for each row of the model,
 * empty where the tokenizer has none. Whether an added token is sought before or after a text is normalised is not in a
 * GGUF file.
 */
final class TokenTable {
    private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");

    private final String file;
    private final List<String> tokens;
    private final List<TokenType> types;
    private final Map<String, Integer> ids = new HashMap<>();

    private TokenTable(String file, int size) {
        this.file = file;
        this.tokens = new ArrayList<>(Collections.nCopies(size, ""));
        this.types = new ArrayList<>(Collections.nCopies(size, TokenType.UNUSED));
    }

    /**
     * Reads the model's tokens and the added ones.
     *
     * @param file name for messages
     * @param size rows of the model
     * @throws TokenizerFormatException if the model has no row for a token, or a GGUF file no type for it
     */
    static TokenTable of(String file, JsonNode json, int size) throws TokenizerFormatException {
        TokenTable table = new TokenTable(file, size);
        JsonNode model = json.path("model");
        boolean bytes = model.path("byte_fallback").asBoolean();
        for (Map.Entry<String, JsonNode> entry : model.path("vocab").properties()) {
            boolean isByte = bytes && BYTE.matcher(entry.getKey()).matches();
            table.put(entry.getKey(), entry.getValue(), isByte ? TokenType.BYTE : TokenType.NORMAL);
        }
        String unknown = model.path("unk_token").asText("");
        for (JsonNode added : json.path("added_tokens")) {
            String content = added.path("content").asText();
            table.refuseFlags(content, added);
            boolean special = added.path("special").asBoolean();
            TokenType type =
                    !special ? TokenType.USER_DEFINED : content.equals(unknown) ? TokenType.UNKNOWN : TokenType.CONTROL;
            table.put(content, added.path("id"), type);
        }
        return table;
    }

    private void refuseFlags(String token, JsonNode added) throws TokenizerFormatException {
        for (String flag : List.of("lstrip", "rstrip", "single_word")) {
            if (added.path(flag).asBoolean()) {
                throw new TokenizerFormatException(
                        file,
                        "added token %s has %s = true, which a GGUF file cannot say"
                                .formatted(WeightFormatException.shown(token), flag));
            }
        }
    }

    private void put(String token, JsonNode id, TokenType type) throws TokenizerFormatException {
        if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0 || id.intValue() >= tokens.size()) {
            throw new TokenizerFormatException(
                    file,
                    "token %s has the id %s, expected 0 to %d, a row of the model"
                            .formatted(WeightFormatException.shown(token), id, tokens.size() - 1));
        }
        int at = id.intValue();
        Integer before = token.isEmpty() ? null : ids.put(token, at);
        if ((before != null && before != at)
                || (!tokens.get(at).isEmpty() && !tokens.get(at).equals(token))) {
            throw new TokenizerFormatException(
                    file,
                    "id %d is %s and %s, expected one token for an id and one id for a token"
                            .formatted(
                                    at,
                                    WeightFormatException.shown(tokens.get(at)),
                                    WeightFormatException.shown(token)));
        }
        tokens.set(at, token);
        types.set(at, type);
    }

    String file() {
        return file;
    }

    int size() {
        return tokens.size();
    }

    List<String> tokens() {
        return Collections.unmodifiableList(tokens);
    }

    String token(int id) {
        return tokens.get(id);
    }

    TokenType type(int id) {
        return types.get(id);
    }

    /** Whether an id has a token. */
    boolean has(int id) {
        return id >= 0 && id < tokens.size() && !tokens.get(id).isEmpty();
    }

    /** The id of a token, or −1. */
    int id(String token) {
        return ids.getOrDefault(token, -1);
    }

    /** The numbers of {@code tokenizer.ggml.token_type}. */
    int[] typeNumbers() {
        return types.stream().mapToInt(TokenType::number).toArray();
    }

    /** A failed check. */
    TokenizerFormatException refused(String reason) {
        return new TokenizerFormatException(file, reason);
    }
}
