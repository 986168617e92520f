package dev.troupe.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.weights.WeightFormatException;
import java.util.Collection;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Typed reading of one JSON object of a checkpoint; null counts as absent, a value of another type is an error. */
final class ConfigKeys {
    private static final int LONGEST_VALUE = 100;

    private final String where;
    private final ObjectNode object;

    /** @param where file and object, for messages */
    ConfigKeys(String where, ObjectNode object) {
        this.where = where;
        this.object = object;
    }

    /** Whether the key is there and not null. */
    boolean has(String key) {
        return object.hasNonNull(key);
    }

    /** The value as JSON, shortened for a message. */
    String shown(String key) {
        String text = String.valueOf(object.get(key));
        return text.length() <= LONGEST_VALUE ? text : text.substring(0, LONGEST_VALUE) + "…";
    }

    OptionalInt integer(String key) throws WeightFormatException {
        if (!has(key)) {
            return OptionalInt.empty();
        }
        JsonNode value = object.get(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw wrong(key, "a whole number below 2147483648");
        }
        return OptionalInt.of(value.intValue());
    }

    OptionalDouble number(String key) throws WeightFormatException {
        if (!has(key)) {
            return OptionalDouble.empty();
        }
        JsonNode value = object.get(key);
        if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
            throw wrong(key, "a number");
        }
        return OptionalDouble.of(value.doubleValue());
    }

    /** A number above 0, which must be there. */
    double requirePositive(String key) throws WeightFormatException {
        return positive(key).orElseThrow(() -> wrong(key, "a number above 0"));
    }

    OptionalDouble positive(String key) throws WeightFormatException {
        OptionalDouble value = number(key);
        if (value.isPresent() && value.getAsDouble() <= 0) {
            throw wrong(key, "a number above 0");
        }
        return value;
    }

    boolean flag(String key, boolean absent) throws WeightFormatException {
        if (!has(key)) {
            return absent;
        }
        if (!object.get(key).isBoolean()) {
            throw wrong(key, "true or false");
        }
        return object.get(key).booleanValue();
    }

    Optional<String> text(String key) throws WeightFormatException {
        if (!has(key)) {
            return Optional.empty();
        }
        if (!object.get(key).isTextual()) {
            throw wrong(key, "a text");
        }
        return Optional.of(object.get(key).textValue());
    }

    Optional<ConfigKeys> object(String key) throws WeightFormatException {
        if (!has(key)) {
            return Optional.empty();
        }
        if (!(object.get(key) instanceof ObjectNode inner)) {
            throw wrong(key, "an object");
        }
        return Optional.of(new ConfigKeys("%s: %s".formatted(where, key), inner));
    }

    /** The raw value, or JSON's missing node. */
    JsonNode node(String key) {
        return object.path(key);
    }

    /**
     * Refuses every key that is not listed.
     *
     * @throws WeightFormatException naming the first other key
     */
    void requireOnly(Collection<String> known) throws WeightFormatException {
        for (String key : (Iterable<String>) object::fieldNames) {
            if (!known.contains(key) && has(key)) {
                throw wrong(key, "only the keys %s here".formatted(known));
            }
        }
    }

    /** An error about the value of a key. */
    WeightFormatException wrong(String key, String expected) {
        return new WeightFormatException("%s: %s = %s, expected %s".formatted(where, key, shown(key), expected));
    }
}
