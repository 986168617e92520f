package dev.troupe.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The tokens of a {@code tokenizer.json} by id, as the file writes them: the model's own and the added ones, of which
 * some are special (they stand for no text).
 */
final class Vocabulary {
    private static final int MOST_TOKENS = 1 << 24;

    private final List<@Nullable String> tokens = new ArrayList<>();
    private final Map<String, Integer> ids = new HashMap<>();
    private final BitSet special = new BitSet();

    /** @throws IllegalArgumentException if an id is out of range or taken twice */
    Vocabulary(JsonNode file) {
        JsonNode vocab = file.path("model").path("vocab");
        if (vocab.isObject()) {
            vocab.properties().forEach(entry -> put(entry.getKey(), entry.getValue()));
        } else if (vocab.isArray()) {
            for (int id = 0; id < vocab.size(); id++) {
                put(vocab.get(id).path(0).asText(), id);
            }
        } else {
            throw new IllegalArgumentException("model.vocab is neither an object nor an array");
        }
        for (JsonNode added : file.path("added_tokens")) {
            String token = added.path("content").asText();
            put(token, added.path("id"));
            if (added.path("special").asBoolean()) {
                special.set(added.path("id").asInt());
            }
        }
    }

    private void put(String token, JsonNode id) {
        if (!id.isIntegralNumber() || !id.canConvertToInt()) {
            throw new IllegalArgumentException("the id of token \"%s\" is %s, expected a number".formatted(token, id));
        }
        put(token, id.intValue());
    }

    private void put(String token, int id) {
        if (id < 0 || id >= MOST_TOKENS) {
            throw new IllegalArgumentException(
                    "the id of token \"%s\" is %d, expected 0 to %d".formatted(token, id, MOST_TOKENS - 1));
        }
        while (tokens.size() <= id) {
            tokens.add(null);
        }
        String before = tokens.get(id);
        if (before != null && !before.equals(token)) {
            throw new IllegalArgumentException("id %d has two tokens, \"%s\" and \"%s\"".formatted(id, before, token));
        }
        tokens.set(id, token);
        ids.put(token, id);
    }

    /** One more than the largest id. */
    int size() {
        return tokens.size();
    }

    /** The token as the file writes it, or null where the id has none. */
    @Nullable
    String token(int id) {
        return id >= 0 && id < tokens.size() ? tokens.get(id) : null;
    }

    OptionalInt id(String token) {
        Integer id = ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }
}
