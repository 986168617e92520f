package dev.troupe.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Set;

/** Reads the messages of a chat. */
final class ChatMessages {
    private static final int MOST_MESSAGES = 4096;
    private static final int MOST_CALLS = 128;
    private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant", "tool");
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private ChatMessages() {}

    /**
     * The messages: {@code developer} is {@code system}, content is a text, arguments of calls are objects.
     *
     * @throws ApiError naming the field that is wrong
     */
    static ArrayNode read(Fields fields) {
        List<JsonNode> given = fields.array("messages", MOST_MESSAGES);
        if (given.isEmpty()) {
            throw ApiError.invalid("messages", "messages is missing or empty, expected at least one");
        }
        ArrayNode messages = JsonNodeFactory.instance.arrayNode();
        for (int i = 0; i < given.size(); i++) {
            messages.add(message(given.get(i), "messages[%d]".formatted(i)));
        }
        return messages;
    }

    private static Fields object(JsonNode given, String at) {
        if (!(given instanceof ObjectNode object)) {
            throw ApiError.invalid(at, at + " is no object");
        }
        return new Fields(object, at + ".");
    }

    private static ApiError missing(String field) {
        return ApiError.invalid(field, field + " is missing");
    }

    private static ObjectNode message(JsonNode given, String at) {
        Fields fields = object(given, at);
        String role = fields.text("role").orElse("");
        if (!ROLES.contains(role)) {
            throw ApiError.invalid(
                    at + ".role",
                    "%s.role, expected one of %s"
                            .formatted(at, ROLES.stream().sorted().toList()));
        }
        ObjectNode message = JsonNodeFactory.instance.objectNode();
        message.put("role", role.equals("developer") ? "system" : role);
        ArrayNode calls = role.equals("assistant") ? calls(fields, at) : JsonNodeFactory.instance.arrayNode();
        message.put("content", content(fields, at, !calls.isEmpty()));
        fields.text("name").ifPresent(name -> message.put("name", name));
        if (role.equals("tool")) {
            message.put("tool_call_id", fields.text("tool_call_id").orElseThrow(() -> missing(at + ".tool_call_id")));
        }
        if (!calls.isEmpty()) {
            message.set("tool_calls", calls);
        }
        fields.value("refusal");
        fields.requireNoOthers();
        return message;
    }

    /** A text, or the texts of its parts one after the other. */
    private static String content(Fields fields, String at, boolean maybeNone) {
        JsonNode content = fields.value("content").orElse(null);
        if (content == null) {
            if (maybeNone) {
                return "";
            }
            throw missing(at + ".content");
        }
        if (content.isTextual()) {
            return content.textValue();
        }
        StringBuilder text = new StringBuilder();
        for (JsonNode part : fields.array("content", MOST_MESSAGES)) {
            if (!part.path("type").asText().equals("text") || !part.path("text").isTextual()) {
                throw ApiError.invalid(
                        at + ".content", at + ".content has a part that is no text; only type=text is supported");
            }
            text.append(part.path("text").textValue());
        }
        return text.toString();
    }

    private static ArrayNode calls(Fields message, String at) {
        ArrayNode calls = JsonNodeFactory.instance.arrayNode();
        List<JsonNode> given = message.array("tool_calls", MOST_CALLS);
        for (int i = 0; i < given.size(); i++) {
            String here = "%s.tool_calls[%d]".formatted(at, i);
            Fields fields = object(given.get(i), here);
            ToolFields.requireFunction(fields, here);
            Fields function = fields.object("function").orElseThrow(() -> missing(here + ".function"));
            ObjectNode call = calls.addObject();
            call.put("id", fields.text("id").orElseThrow(() -> missing(here + ".id")));
            call.put("type", "function");
            ObjectNode called = call.putObject("function");
            called.put("name", function.text("name").orElseThrow(() -> missing(here + ".function.name")));
            called.set("arguments", arguments(function, here + ".function.arguments"));
            fields.whole("index", 0, Integer.MAX_VALUE); // deltas of a stream, put together by a client, may have one
            function.requireNoOthers();
            fields.requireNoOthers();
        }
        return calls;
    }

    private static JsonNode arguments(Fields function, String at) {
        String text = function.text("arguments").orElse("");
        if (text.isBlank()) {
            return JsonNodeFactory.instance.objectNode();
        }
        try {
            JsonNode arguments = JSON.readTree(text);
            if (arguments.isObject()) {
                return arguments;
            }
        } catch (JsonProcessingException e) {
            // refused below
        }
        throw ApiError.invalid(
                at, "%s=a string of %d characters, expected one that is a JSON object".formatted(at, text.length()));
    }
}
