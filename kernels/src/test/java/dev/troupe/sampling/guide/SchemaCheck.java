package dev.troupe.sampling.guide;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A validator of its own for the JSON schemas of the tests: by the standard, not by what guides write. */
final class SchemaCheck {
    private final JsonNode root;

    SchemaCheck(JsonNode root) {
        this.root = root;
    }

    boolean accepts(JsonNode value) {
        return accepts(root, value);
    }

    private boolean accepts(JsonNode schema, JsonNode value) {
        if (schema.isBoolean()) {
            return schema.booleanValue();
        }
        if (schema.has("$ref") && !accepts(root.at(schema.get("$ref").asText().substring(1)), value)) {
            return false;
        }
        if (schema.has("const") && !schema.get("const").equals(value)) {
            return false;
        }
        return any(schema.get("enum"), one -> one.equals(value))
                && any(schema.get("anyOf"), one -> accepts(one, value))
                && any(schema.get("oneOf"), one -> accepts(one, value))
                && type(schema.get("type"), value)
                && object(schema, value)
                && array(schema, value)
                && string(schema, value);
    }

    private static boolean any(@Nullable JsonNode options, java.util.function.Predicate<JsonNode> holds) {
        if (options == null) {
            return true;
        }
        for (JsonNode option : options) {
            if (holds.test(option)) {
                return true;
            }
        }
        return false;
    }

    private static boolean type(@Nullable JsonNode type, JsonNode value) {
        if (type != null && type.isArray()) {
            return any(type, one -> type(one, value));
        }
        return type == null
                || switch (type.asText()) {
                    case "object" -> value.isObject();
                    case "array" -> value.isArray();
                    case "string" -> value.isTextual();
                    case "number" -> value.isNumber();
                    case "integer" -> value.isIntegralNumber();
                    case "boolean" -> value.isBoolean();
                    default -> value.isNull();
                };
    }

    private boolean object(JsonNode schema, JsonNode value) {
        if (!value.isObject()) {
            return true;
        }
        for (JsonNode name : schema.path("required")) {
            if (!value.has(name.asText())) {
                return false;
            }
        }
        for (var entry : value.properties()) {
            JsonNode property = schema.path("properties").get(entry.getKey());
            JsonNode rule = property == null ? schema.get("additionalProperties") : property;
            if (rule != null && !accepts(rule, entry.getValue())) {
                return false;
            }
        }
        return true;
    }

    private boolean array(JsonNode schema, JsonNode value) {
        if (!value.isArray()) {
            return true;
        }
        if (!within(value.size(), schema.get("minItems"), schema.get("maxItems"))) {
            return false;
        }
        for (JsonNode item : value) {
            if (schema.has("items") && !accepts(schema.get("items"), item)) {
                return false;
            }
        }
        return true;
    }

    private static boolean string(JsonNode schema, JsonNode value) {
        if (!value.isTextual()) {
            return true;
        }
        String text = value.textValue();
        return within(text.codePointCount(0, text.length()), schema.get("minLength"), schema.get("maxLength"))
                && (!schema.has("pattern")
                        || Pattern.compile(schema.get("pattern").asText())
                                .matcher(text)
                                .find());
    }

    private static boolean within(int size, @Nullable JsonNode least, @Nullable JsonNode most) {
        return (least == null || size >= least.intValue()) && (most == null || size <= most.intValue());
    }
}
