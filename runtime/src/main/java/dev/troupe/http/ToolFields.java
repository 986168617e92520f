package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.troupe.text.tools.Tool;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Reads {@code tools}, {@code tool_choice} and {@code parallel_tool_calls}. */
final class ToolFields {
    private static final int MOST_TOOLS = 128;
    private static final int LONGEST_DESCRIPTION = 8_192;
    private static final int LONGEST_SCHEMA = 32_768;
    private static final int LONGEST_OF_ALL = 131_072;
    private static final int MOST_REFERENCES = 8;
    private static final List<String> OTHER = List.of("$ref", "anyOf", "oneOf", "allOf", "enum", "const");
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9_-]{1,64}");

    private ToolFields() {}

    /** @throws ApiError naming the field that is wrong */
    static ToolUse read(Fields fields) {
        List<Tool> tools = tools(fields);
        boolean parallel = fields.flag("parallel_tool_calls", true);
        JsonNode choice = fields.value("tool_choice").orElse(TextNode.valueOf("auto"));
        if (choice.isTextual()) {
            return switch (choice.textValue()) {
                case "auto" -> new ToolUse(tools, List.of(), parallel);
                case "none" -> new ToolUse(List.of(), List.of(), parallel);
                case "required" -> {
                    requireTools(tools);
                    yield new ToolUse(tools, tools, parallel);
                }
                default -> throw expected(fields, choice);
            };
        }
        if (!choice.isObject()) {
            throw expected(fields, choice);
        }
        requireTools(tools);
        return new ToolUse(tools, List.of(named(fields, tools)), false);
    }

    private static ApiError expected(Fields fields, JsonNode choice) {
        return fields.expected(
                "tool_choice",
                choice,
                "auto, none, required, or {\"type\": \"function\", \"function\": {\"name\": ...}}");
    }

    private static void requireTools(List<Tool> tools) {
        if (tools.isEmpty()) {
            throw ApiError.invalid("tool_choice", "tool_choice asks for a call, and there are no tools");
        }
    }

    private static Tool named(Fields fields, List<Tool> tools) {
        Fields choice = fields.object("tool_choice").orElseThrow();
        requireFunction(choice, "tool_choice");
        Fields function = choice.object("function")
                .orElseThrow(() -> ApiError.invalid("tool_choice.function", "tool_choice.function is missing"));
        String name = function.text("name").orElse("");
        function.requireNoOthers();
        choice.requireNoOthers();
        return tools.stream()
                .filter(tool -> tool.name().equals(name))
                .findFirst()
                .orElseThrow(() -> ApiError.invalid(
                        "tool_choice.function.name",
                        "tool_choice.function.name, expected one of tools: %s"
                                .formatted(tools.stream().map(Tool::name).toList())));
    }

    /** Refuses every {@code type} but {@code function}. */
    static void requireFunction(Fields fields, String at) {
        if (!fields.text("type").orElse("function").equals("function")) {
            throw ApiError.invalid(at + ".type", at + ".type, expected function");
        }
    }

    private static List<Tool> tools(Fields fields) {
        List<JsonNode> given = fields.array("tools", MOST_TOOLS);
        List<Tool> tools = new ArrayList<>();
        int characters = 0;
        for (int i = 0; i < given.size(); i++) {
            String at = "tools[%d]".formatted(i);
            Tool tool = tool(given.get(i), at);
            if (tools.stream().anyMatch(other -> other.name().equals(tool.name()))) {
                throw ApiError.invalid(
                        at + ".function.name",
                        "%s.function.name=%s is taken, expected another".formatted(at, tool.name()));
            }
            characters +=
                    tool.description().length() + tool.parameters().toString().length();
            tools.add(tool);
        }
        if (characters > LONGEST_OF_ALL) {
            throw ApiError.invalid(
                    "tools",
                    "tools have descriptions and parameters of %d characters, expected at most %d"
                            .formatted(characters, LONGEST_OF_ALL));
        }
        return tools;
    }

    private static Tool tool(JsonNode given, String at) {
        if (!(given instanceof ObjectNode object)) {
            throw ApiError.invalid(at, at + " is no object");
        }
        Fields fields = new Fields(object, at + ".");
        requireFunction(fields, at);
        Fields function = fields.object("function")
                .orElseThrow(() -> ApiError.invalid(at + ".function", at + ".function is missing"));
        String name = function.text("name").orElse("");
        if (!NAME.matcher(name).matches()) {
            throw ApiError.invalid(
                    at + ".function.name",
                    "%s.function.name has %d characters, expected 1 to 64 letters, digits, _ and -"
                            .formatted(at, name.length()));
        }
        String description = function.text("description").orElse("");
        requireLength(at + ".function.description", description.length(), LONGEST_DESCRIPTION);
        ObjectNode parameters = parameters(function, at + ".function.parameters");
        function.flag("strict", true); // calls that are asked for keep their schema always, others are the model's own
        function.requireNoOthers();
        fields.requireNoOthers();
        return new Tool(name, description, parameters);
    }

    private static ObjectNode parameters(Fields function, String at) {
        JsonNode given = function.value("parameters").orElse(null);
        ObjectNode parameters = JsonNodeFactory.instance.objectNode();
        if (given == null) {
            parameters.put("type", "object").putObject("properties");
            return parameters;
        }
        if (!given.isObject()) {
            throw function.expected("parameters", given, "a JSON schema");
        }
        requireLength(at, given.toString().length(), LONGEST_SCHEMA);
        parameters.setAll((ObjectNode) given);
        JsonNode schema = given;
        for (int i = 0; i < MOST_REFERENCES && schema.path("$ref").asText().startsWith("#/"); i++) {
            schema = given.at(schema.path("$ref").asText().substring(1));
        }
        boolean untyped = !given.has("type") && OTHER.stream().noneMatch(given::has);
        if (!untyped && !schema.path("type").asText().equals("object")) {
            throw ApiError.invalid(at + ".type", at + ".type, expected a schema of type object");
        }
        if (untyped) {
            parameters.put("type", "object");
        }
        return parameters;
    }

    private static void requireLength(String field, int length, int most) {
        if (length > most) {
            throw ApiError.invalid(field, "%s has %d characters, expected at most %d".formatted(field, length, most));
        }
    }
}
