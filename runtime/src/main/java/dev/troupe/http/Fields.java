package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The fields of a request's JSON object, read by name. What is wrong becomes a 400 that names the field, the value and what was
 * expected; a field that nobody has read is refused too. JSON's null is the same as no field.
 */
final class Fields {
    /** Characters of a value that an error repeats. */
    private static final int SHOWN = 60;

    private final ObjectNode object;
    private final String path;
    private final Set<String> read = new HashSet<>();

    /** @param path what stands before the names of fields in errors, or empty */
    Fields(ObjectNode object, String path) {
        this.object = object;
        this.path = path;
    }

    /** The value of a field, unless it is absent or null. */
    Optional<JsonNode> value(String name) {
        read.add(name);
        JsonNode value = object.get(name);
        return value == null || value.isNull() ? Optional.empty() : Optional.of(value);
    }

    Optional<String> text(String name) {
        return value(name).map(value -> {
            if (!value.isTextual()) {
                throw expected(name, value, "a string");
            }
            return value.textValue();
        });
    }

    boolean flag(String name, boolean otherwise) {
        return value(name)
                .map(value -> {
                    if (!value.isBoolean()) {
                        throw expected(name, value, "true or false");
                    }
                    return value.booleanValue();
                })
                .orElse(otherwise);
    }

    OptionalLong whole(String name, long least, long most) {
        Optional<JsonNode> value = value(name);
        if (value.isEmpty()) {
            return OptionalLong.empty();
        }
        JsonNode node = value.get();
        boolean fits = node.isIntegralNumber() && node.canConvertToLong();
        if (!fits || node.longValue() < least || node.longValue() > most) {
            throw expected(name, node, "a whole number from %d to %d".formatted(least, most));
        }
        return OptionalLong.of(node.longValue());
    }

    int whole(String name, int otherwise, int least, int most) {
        return (int) whole(name, least, most).orElse(otherwise);
    }

    float number(String name, float otherwise, float least, float most) {
        return value(name)
                .map(node -> {
                    if (!node.isNumber() || !(node.doubleValue() >= least && node.doubleValue() <= most)) {
                        throw expected(name, node, "a number from %s to %s".formatted(plain(least), plain(most)));
                    }
                    return (float) node.doubleValue();
                })
                .orElse(otherwise);
    }

    private static String plain(float value) {
        return value == (long) value ? Long.toString((long) value) : Float.toString(value);
    }

    /** A string, or an array of at most so many; none where the field is absent. */
    List<String> texts(String name, int most) {
        Optional<JsonNode> value = value(name);
        if (value.isEmpty()) {
            return List.of();
        }
        if (value.get().isTextual()) {
            return List.of(value.get().textValue());
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode element : array(name, most)) {
            if (!element.isTextual()) {
                throw expected(name, element, "a string or an array of strings");
            }
            texts.add(element.textValue());
        }
        return texts;
    }

    /** The elements of an array of at most so many; none where the field is absent. */
    List<JsonNode> array(String name, int most) {
        Optional<JsonNode> value = value(name);
        if (value.isEmpty()) {
            return List.of();
        }
        if (!value.get().isArray() || value.get().size() > most) {
            throw expected(name, value.get(), "an array of at most %d".formatted(most));
        }
        List<JsonNode> elements = new ArrayList<>();
        value.get().forEach(elements::add);
        return elements;
    }

    /** An object inside this one. */
    Optional<Fields> object(String name) {
        return value(name).map(value -> {
            if (!(value instanceof ObjectNode inner)) {
                throw expected(name, value, "an object");
            }
            return new Fields(inner, path + name + ".");
        });
    }

    /** Refuses a field of the API that does nothing here, unless it has the value that changes nothing. */
    void refuse(String name, String harmless, String instead) {
        value(name).ifPresent(value -> {
            if (!value.toString().equals(harmless)) {
                throw ApiError.invalid(
                        path + name, "%s%s=%s does not work here; %s".formatted(path, name, shown(value), instead));
            }
        });
    }

    /** Refuses what was not read. */
    void requireNoOthers() {
        Iterator<String> names = object.fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            if (!read.contains(name)) {
                throw ApiError.invalid(
                        path + name,
                        "%s%s is no parameter of this request; these are: %s"
                                .formatted(
                                        path,
                                        shorten(name),
                                        String.join(", ", read.stream().sorted().toList())));
            }
        }
    }

    /** An error about a field whose value is not what was expected. */
    ApiError expected(String name, JsonNode value, String what) {
        return ApiError.invalid(path + name, "%s%s=%s, expected %s".formatted(path, name, shown(value), what));
    }

    /** Texts of people do not belong into errors that may be logged: strings are shown by their length. */
    private static String shown(JsonNode value) {
        if (value.isTextual()) {
            return "a string of %d characters".formatted(value.textValue().length());
        }
        if (value.isObject()) {
            return "an object";
        }
        if (value.isArray()) {
            return "an array of %d".formatted(value.size());
        }
        return shorten(value.toString());
    }

    private static String shorten(String text) {
        return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "...";
    }
}
