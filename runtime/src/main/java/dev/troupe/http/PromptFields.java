package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;

/** Reads texts and token ids: one, or several. */
final class PromptFields {
    private PromptFields() {}

    /**
     * The tokens of a text, of several texts, of token ids, or of several lists of them.
     *
     * @param most how many there may be
     * @throws ApiError naming the field, if it is something else or one of them has no tokens
     */
    static List<Ints> read(Fields fields, String name, int most, ServedModel model) {
        JsonNode given = fields.value(name).orElseThrow(() -> ApiError.invalid(name, name + " is missing"));
        List<Ints> prompts = new ArrayList<>();
        if (given.isTextual()) {
            prompts.add(encode(name, given.textValue(), model));
        } else if (given.isArray() && !given.isEmpty() && given.get(0).isIntegralNumber()) {
            prompts.add(tokens(fields, name, given, model));
        } else {
            for (JsonNode element : fields.array(name, most)) {
                prompts.add(
                        element.isTextual()
                                ? encode(name, element.textValue(), model)
                                : tokens(fields, name, element, model));
            }
        }
        if (prompts.isEmpty() || prompts.stream().anyMatch(Ints::isEmpty)) {
            throw ApiError.invalid(name, name + " has no tokens, expected at least one");
        }
        return prompts;
    }

    private static Ints encode(String name, String text, ServedModel model) {
        return model.requireTokenizer(name).encode(text);
    }

    private static Ints tokens(Fields fields, String name, JsonNode array, ServedModel model) {
        if (!array.isArray()) {
            throw fields.expected(name, array, "a string, strings, token ids, or arrays of token ids");
        }
        Ints tokens = ids(fields, name, array);
        model.requireKnown(name, tokens);
        return tokens;
    }

    /** Whole numbers, as token ids are. */
    static Ints ids(Fields fields, String name, JsonNode array) {
        int[] ids = new int[array.size()];
        for (int i = 0; i < ids.length; i++) {
            if (!array.get(i).canConvertToInt() || !array.get(i).isIntegralNumber()) {
                throw fields.expected(name, array.get(i), "token ids");
            }
            ids[i] = array.get(i).intValue();
        }
        return Ints.of(ids);
    }
}
