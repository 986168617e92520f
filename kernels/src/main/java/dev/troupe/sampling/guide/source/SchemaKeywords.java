package dev.troupe.sampling.guide.source;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The keywords of one JSON schema object: known ones, on types they speak of, and no other is passed over. */
final class SchemaKeywords {
    private static final Set<String> ANNOTATIONS = Set.of(
            "title",
            "description",
            "default",
            "example",
            "examples",
            "deprecated",
            "readOnly",
            "writeOnly",
            "$schema",
            "$id",
            "$comment",
            "$defs",
            "definitions");

    /** Keywords that constrain one type only. */
    private static final Map<String, String> TYPE_OF = Map.of(
            "properties", "object",
            "required", "object",
            "additionalProperties", "object",
            "items", "array",
            "minItems", "array",
            "maxItems", "array",
            "minLength", "string",
            "maxLength", "string",
            "pattern", "string",
            "format", "string");

    /** Keywords that say all by themselves. */
    private static final List<String> WHOLE = List.of("$ref", "anyOf", "oneOf", "allOf");

    private static final List<String> VALUES = List.of("const", "enum");
    private static final List<String> TYPES =
            List.of("object", "array", "string", "number", "integer", "boolean", "null");

    private final JsonNode schema;
    private final String path;
    private final List<String> types;

    /** @throws GuideException if a keyword is not supported, or not beside the others */
    SchemaKeywords(JsonNode schema, String path) {
        this.schema = schema;
        this.path = path;
        this.types = types();
        for (Map.Entry<String, JsonNode> entry : schema.properties()) {
            String keyword = entry.getKey();
            String type = TYPE_OF.get(keyword);
            if (type != null && !types.contains(type)) {
                throw error("the keyword %s says nothing of the type %s".formatted(keyword, types));
            }
            boolean known = type != null || ANNOTATIONS.contains(keyword) || keyword.equals("type");
            if (!known && !WHOLE.contains(keyword) && !VALUES.contains(keyword)) {
                throw error("the keyword %s is not supported".formatted(keyword));
            }
        }
        requireAlone(WHOLE, Set.of());
        requireAlone(VALUES, Set.of("type"));
    }

    /** At most one of {@code keywords}, and beside it only annotations and {@code allowed}. */
    private void requireAlone(List<String> keywords, Set<String> allowed) {
        String first = keywords.stream().filter(schema::has).findFirst().orElse(null);
        if (first == null) {
            return;
        }
        for (Map.Entry<String, JsonNode> entry : schema.properties()) {
            String other = entry.getKey();
            if (!other.equals(first) && !allowed.contains(other) && !ANNOTATIONS.contains(other)) {
                throw error("the keyword %s is not supported beside %s".formatted(first, other));
            }
        }
    }

    /** The types it allows: as it says, else those its keywords speak of; empty for all. */
    private List<String> types() {
        JsonNode type = schema.get("type");
        if (type == null) {
            Set<String> spoken = new TreeSet<>();
            schema.fieldNames().forEachRemaining(keyword -> {
                String one = TYPE_OF.get(keyword);
                if (one != null) {
                    spoken.add(one);
                }
            });
            return List.copyOf(spoken);
        }
        List<String> found = new ArrayList<>();
        for (JsonNode one : type.isArray() ? type : List.of(type)) {
            if (!TYPES.contains(one.asText()) || !one.isTextual()) {
                throw error("the type %s is not one of %s".formatted(shown(one), TYPES));
            }
            found.add(one.asText());
        }
        if (found.isEmpty()) {
            throw error("type is empty: nothing satisfies it");
        }
        return found.stream().distinct().toList();
    }

    /** The types that a value may have; empty if nothing is said of them. */
    List<String> allowedTypes() {
        return types;
    }

    /** Whether a value is of an allowed type. */
    boolean allows(JsonNode value) {
        return types.isEmpty()
                || types.stream().anyMatch(type -> switch (type) {
                    case "object" -> value.isObject();
                    case "array" -> value.isArray();
                    case "string" -> value.isTextual();
                    case "number" -> value.isNumber();
                    case "integer" -> value.isIntegralNumber();
                    case "boolean" -> value.isBoolean();
                    default -> value.isNull();
                });
    }

    @Nullable
    JsonNode get(String keyword) {
        return schema.get(keyword);
    }

    /** The value of a keyword that must be an array with something in it. */
    JsonNode array(String keyword) {
        JsonNode value = schema.path(keyword);
        if (!value.isArray() || value.isEmpty()) {
            throw error("%s=%s, expected an array that is not empty".formatted(keyword, shown(value)));
        }
        return value;
    }

    /** A bound from 0 to {@code limit}, or {@code otherwise} where the schema has none. */
    int bound(String keyword, int otherwise, int limit) {
        JsonNode value = schema.get(keyword);
        if (value == null) {
            return otherwise;
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 0 || value.intValue() > limit) {
            throw error("%s=%s, expected 0 to %d".formatted(keyword, shown(value), limit));
        }
        return value.intValue();
    }

    /** Where a part of this schema stands. */
    String path(String part) {
        return path + "/" + part;
    }

    GuideException error(String what) {
        return new GuideException("JSON schema, %s: %s".formatted(path, what));
    }

    /** A value as it may stand in a message: never longer than a line. */
    static String shown(JsonNode value) {
        String text = value.isMissingNode() ? "nothing" : value.toString();
        return text.length() <= 60 ? text : text.substring(0, 60) + "…";
    }
}
