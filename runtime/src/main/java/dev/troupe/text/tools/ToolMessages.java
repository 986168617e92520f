package dev.troupe.text.tools;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Messages with calls and their results, as a model's chat template takes them. Messages are objects as in the OpenAI API, except
 * that {@code arguments} are JSON objects.
 */
public final class ToolMessages {
    private static final Pattern SHORT_ID = Pattern.compile("[A-Za-z0-9]{9}");
    private static final int SHORT_ID_LENGTH = 9;

    private ToolMessages() {}

    /** Tools as templates take them. */
    public static ArrayNode json(List<Tool> tools) {
        ArrayNode all = JsonNodeFactory.instance.arrayNode();
        tools.forEach(tool -> all.add(tool.toJson()));
        return all;
    }

    /** Messages for the template of a model with this format; its tools come beside them, or {@link #told} has them. */
    public static ArrayNode of(ToolFormat format, ArrayNode messages) {
        return switch (format) {
            case HERMES -> withNames(messages);
            case LLAMA -> oneByOne(withNames(messages));
            case MISTRAL -> withShortIds(withNames(messages));
            case TOLD -> written(messages);
        };
    }

    /**
     * The same messages with one that tells what tools there are and how to call them.
     *
     * @param inUser whether it stands in the first message of the user and not in that of the system
     */
    public static ArrayNode told(ArrayNode messages, List<Tool> tools, boolean inUser) {
        StringBuilder text = new StringBuilder("You can call these functions:\n");
        tools.forEach(
                tool -> text.append(tool.toJson().path("function").toString()).append('\n'));
        text.append("\nWhere a function helps, answer with a call of it, which looks like this:\n");
        text.append(call("the function's name", "{the arguments as JSON}"));
        text.append("\nIts result then comes between <tool_response> and </tool_response>.");
        ArrayNode all = messages.deepCopy();
        String role = inUser ? "user" : "system";
        for (JsonNode message : all) {
            if (message.path("role").asText().equals(role)) {
                ObjectNode found = (ObjectNode) message;
                String content = found.path("content").asText();
                found.put("content", inUser ? text + "\n\n" + content : content + "\n\n" + text);
                return all;
            }
        }
        return all.insert(0, message(role, text.toString()));
    }

    private static ObjectNode message(String role, String content) {
        return JsonNodeFactory.instance.objectNode().put("role", role).put("content", content);
    }

    private static String call(String name, String arguments) {
        return "%s\n{\"name\": \"%s\", \"arguments\": %s}\n%s"
                .formatted(ToolFormat.TOLD.marker(), name, arguments, ToolFormat.END);
    }

    /** Calls and results as text, in messages that every template knows. */
    private static ArrayNode written(ArrayNode messages) {
        ArrayNode all = JsonNodeFactory.instance.arrayNode();
        boolean answering = false;
        for (JsonNode message : messages) {
            boolean result = isResult(message);
            if (result) {
                String text = "<tool_response>\n%s\n</tool_response>"
                        .formatted(message.path("content").asText());
                if (answering) {
                    ObjectNode before = (ObjectNode) all.get(all.size() - 1);
                    before.put("content", before.path("content").asText() + "\n" + text);
                } else {
                    all.add(message("user", text));
                }
            } else if (message.has("tool_calls")) {
                List<String> texts = new ArrayList<>();
                if (!message.path("content").asText().isEmpty()) {
                    texts.add(message.path("content").asText());
                }
                for (JsonNode call : message.path("tool_calls")) {
                    JsonNode function = call.path("function");
                    texts.add(call(
                            function.path("name").asText(),
                            function.path("arguments").toString()));
                }
                all.add(message("assistant", String.join("\n", texts)));
            } else {
                all.add(message);
            }
            answering = result;
        }
        return all;
    }

    private static boolean isResult(JsonNode message) {
        return message.path("role").asText().equals("tool");
    }

    /** Results that have the names of their functions, which some templates want. */
    private static ArrayNode withNames(ArrayNode messages) {
        ArrayNode all = messages.deepCopy();
        Map<String, String> names = new HashMap<>();
        for (JsonNode message : all) {
            for (JsonNode call : message.path("tool_calls")) {
                names.put(call.path("id").asText(), call.at("/function/name").asText());
            }
            String name = names.get(message.path("tool_call_id").asText());
            if (name != null && isResult(message) && !message.has("name")) {
                ((ObjectNode) message).put("name", name);
            }
        }
        return all;
    }

    /** One call a message, each with its result behind it: some templates take no message with more. */
    private static ArrayNode oneByOne(ArrayNode messages) {
        ArrayNode all = JsonNodeFactory.instance.arrayNode();
        List<JsonNode> results = new ArrayList<>();
        for (int i = 0; i < messages.size(); i++) {
            JsonNode message = messages.get(i);
            if (message.path("tool_calls").size() < 2) {
                all.add(message);
                continue;
            }
            results.clear();
            while (i + 1 < messages.size() && isResult(messages.get(i + 1))) {
                results.add(messages.get(++i));
            }
            for (JsonNode call : message.path("tool_calls")) {
                ObjectNode one = message.deepCopy();
                one.putArray("tool_calls").add(call);
                all.add(one);
                results.stream()
                        .filter(result -> result.path("tool_call_id").equals(call.path("id")))
                        .forEach(all::add);
                results.removeIf(result -> result.path("tool_call_id").equals(call.path("id")));
            }
            results.forEach(all::add);
        }
        return all;
    }

    /** Ids of nine letters and digits, the same for the same ids: some templates take no others. */
    private static ArrayNode withShortIds(ArrayNode all) {
        for (JsonNode message : all) {
            if (message.has("tool_call_id")) {
                ((ObjectNode) message)
                        .put(
                                "tool_call_id",
                                shortId(message.path("tool_call_id").asText()));
            }
            for (JsonNode call : message.path("tool_calls")) {
                ((ObjectNode) call).put("id", shortId(call.path("id").asText()));
            }
        }
        return all;
    }

    private static String shortId(String id) {
        if (SHORT_ID.matcher(id).matches()) {
            return id;
        }
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(id.getBytes(StandardCharsets.UTF_8));
            return new BigInteger(1, hash)
                    .setBit(Byte.SIZE * hash.length)
                    .toString(36)
                    .substring(0, SHORT_ID_LENGTH);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
