package dev.troupe.sampling.guide.source;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a schema says of an object's properties. */
record ObjectKeywords(SchemaKeywords keywords) {

    /** Schemas by name, in the schema's order. */
    Map<String, JsonNode> properties() {
        JsonNode properties = keywords.get("properties");
        Map<String, JsonNode> byName = new LinkedHashMap<>();
        if (properties != null) {
            if (!properties.isObject()) {
                throw keywords.error("properties=%s, expected an object".formatted(SchemaKeywords.shown(properties)));
            }
            properties.properties().forEach(entry -> byName.put(name(entry.getKey()), entry.getValue()));
        }
        return byName;
    }

    /** Names that must be there. */
    List<String> required() {
        JsonNode required = keywords.get("required");
        List<String> names = new ArrayList<>();
        if (required != null) {
            if (!required.isArray()) {
                throw keywords.error("required=%s, expected an array".formatted(SchemaKeywords.shown(required)));
            }
            for (JsonNode one : required) {
                if (!one.isTextual()) {
                    throw keywords.error("required has %s, expected names".formatted(SchemaKeywords.shown(one)));
                }
                names.add(name(one.asText()));
            }
        }
        return names.stream().distinct().toList();
    }

    private String name(String name) {
        if (name.length() > SchemaCompiler.LONGEST_NAME) {
            throw keywords.error("a property's name has %d characters, expected at most %d"
                    .formatted(name.length(), SchemaCompiler.LONGEST_NAME));
        }
        return name;
    }
}
