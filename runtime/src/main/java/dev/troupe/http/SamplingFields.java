package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.troupe.client.TextRequest;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.Precedence;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/** The parameters that both completions routes share. */
final class SamplingFields {
    private static final int MOST_STOPS = 16;
    private static final int MOST_STOP_TOKENS = 64;
    private static final int MOST_BIASES = 1024;
    private static final int MOST_SALT = 128;
    private static final int MOST_STOP_CHARACTERS = 1024;

    /** In seconds. */
    private static final float LEAST_DEADLINE = 0.001f;

    private SamplingFields() {}

    /**
     * How to draw.
     *
     * @param topLogprobs alternatives to report with every token, or −1 for none
     */
    static SamplingParameters sampling(Fields fields, ServedModel model, int topLogprobs) {
        SamplingParameters parameters = new SamplingParameters(
                fields.number("temperature", 1, 0, 2),
                fields.whole("top_k", 0, 0, Integer.MAX_VALUE),
                fields.number("top_p", 1, Float.MIN_VALUE, 1),
                fields.number("min_p", 0, 0, 1),
                fields.number("repetition_penalty", 1, 0.01f, 100),
                fields.number("presence_penalty", 0, -2, 2),
                fields.number("frequency_penalty", 0, -2, 2),
                biases(fields, model),
                fields.whole("seed", Long.MIN_VALUE, Long.MAX_VALUE)
                        .orElseGet(() -> ThreadLocalRandom.current().nextLong()),
                topLogprobs);
        return parameters;
    }

    private static Map<Integer, Float> biases(Fields fields, ServedModel model) {
        Map<Integer, Float> biases = new HashMap<>();
        JsonNode given = fields.value("logit_bias").orElse(null);
        if (given == null) {
            return biases;
        }
        if (!given.isObject() || given.size() > MOST_BIASES) {
            throw fields.expected(
                    "logit_bias", given, "an object of at most %d token ids with numbers".formatted(MOST_BIASES));
        }
        for (Map.Entry<String, JsonNode> entry : given.properties()) {
            JsonNode bias = entry.getValue();
            int id = tokenId(entry.getKey());
            if (id < 0 || id >= model.vocabularySize()) {
                throw ApiError.invalid(
                        "logit_bias", "logit_bias has an id that is not 0 to %d".formatted(model.vocabularySize() - 1));
            }
            if (!bias.isNumber() || !(Math.abs(bias.doubleValue()) <= 100)) {
                throw ApiError.invalid(
                        "logit_bias", "logit_bias of token %d, expected a number from -100 to 100".formatted(id));
            }
            biases.put(id, (float) bias.doubleValue());
        }
        return biases;
    }

    private static int tokenId(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    /** Texts that end a completion. */
    static List<String> stops(Fields fields) {
        List<String> stops = fields.texts("stop", MOST_STOPS);
        for (String stop : stops) {
            if (stop.isEmpty() || stop.length() > MOST_STOP_CHARACTERS) {
                throw ApiError.invalid(
                        "stop",
                        "stop holds a string of %d characters, expected 1 to %d"
                                .formatted(stop.length(), MOST_STOP_CHARACTERS));
            }
        }
        return stops;
    }

    /** Tokens that end a completion. */
    static Ints stopTokens(Fields fields, ServedModel model) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        fields.array("stop_token_ids", MOST_STOP_TOKENS).forEach(array::add);
        Ints ids = PromptFields.ids(fields, "stop_token_ids", array);
        model.requireKnown("stop_token_ids", ids);
        return ids;
    }

    /** What a request shares its prefixes by, beside its tenant. */
    static String cacheSalt(Fields fields) {
        String salt = fields.text("cache_salt").orElse("");
        if (salt.length() > MOST_SALT) {
            throw ApiError.invalid(
                    "cache_salt",
                    "cache_salt has %d characters, expected at most %d".formatted(salt.length(), MOST_SALT));
        }
        return salt;
    }

    /** The request with what it asks for as to when it is served. */
    static TextRequest timed(Fields fields, TextRequest request) {
        Duration most = request.deadline();
        int priority = fields.whole("priority", 0, Precedence.FIRST, Precedence.LAST);
        float seconds = fields.number("deadline", most.toMillis() / 1e3f, LEAST_DEADLINE, most.toMillis() / 1e3f);
        Duration asked = Duration.ofMillis(Math.round(seconds * 1e3));
        return request.withPrecedence(new Precedence(priority, ""))
                .withDeadline(asked.compareTo(most) < 0 ? asked : most);
    }

    /** How many completions of a prompt. */
    static int choices(Fields fields, String name, int otherwise) {
        return fields.whole(name, otherwise, 1, TextRequest.MAX_CHOICES);
    }

    /** Whether a stream ends with what it used. */
    static boolean includeUsage(Fields fields, boolean stream) {
        Fields options = fields.object("stream_options").orElse(null);
        if (options == null) {
            return false;
        }
        if (!stream) {
            throw ApiError.invalid("stream_options", "stream_options is for stream=true only");
        }
        boolean usage = options.flag("include_usage", false);
        options.refuse("include_obfuscation", "false", "leave it out");
        options.requireNoOthers();
        return usage;
    }

    /** Whether the client may come back to its stream. */
    static boolean resumable(Fields fields, boolean stream) {
        boolean resumable = fields.flag("resumable", false);
        if (resumable && !stream) {
            throw ApiError.invalid("resumable", "resumable is for stream=true only");
        }
        return resumable;
    }

    /** Refuses the model that is not served. */
    static void requireModel(Fields fields, ServedModel model) {
        String asked = fields.text("model")
                .orElseThrow(() -> ApiError.invalid("model", "model is missing; this one is served: " + model.id()));
        if (!asked.equals(model.id())) {
            throw ApiError.noSuchModel(asked, model.id());
        }
    }

    /**
     * The most tokens of a completion.
     *
     * @param asked what the client wants, or −1 for {@code otherwise}, or less where the context has less room
     */
    static int maxTokens(String name, long asked, int prompt, int otherwise, ServedModel model) {
        int room = model.contextLength() - prompt;
        if (asked < 0 && room > 0) {
            return Math.min(otherwise, room);
        }
        long wanted = asked < 0 ? 1 : asked;
        if (room < wanted) {
            throw ApiError.invalid(
                    name,
                    "the prompt has %d tokens and %s is %d, expected at most %d together: the context length of %s"
                            .formatted(prompt, name, wanted, model.contextLength(), model.id()));
        }
        return (int) asked;
    }
}
