package dev.troupe.model.gguf;

import dev.troupe.tensor.Ints;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufMetadata;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Typed reading of the keys that begin with the name of an architecture, such as {@code llama.block_count}. */
final class GgufKeys {
    private final GgufMetadata metadata;
    private final String prefix;

    GgufKeys(GgufMetadata metadata, GgufArchitecture architecture) {
        this.metadata = metadata;
        this.prefix = architecture.label() + ".";
    }

    GgufMetadata metadata() {
        return metadata;
    }

    /** What all keys of the architecture begin with. */
    String prefix() {
        return prefix;
    }

    boolean has(String key) {
        return metadata.has(prefix + key);
    }

    /** A whole number from 0, or the number that all elements of an array are, one for each layer. */
    OptionalInt integer(String key) throws WeightFormatException {
        return metadata.isArray(prefix + key) ? same(key) : whole(prefix + key);
    }

    /** A whole number from 1 that must be there. */
    int requireInteger(String key) throws WeightFormatException {
        int value = integer(key).orElse(0);
        if (value < 1) {
            throw wrong(key, "a whole number above 0");
        }
        return value;
    }

    private OptionalInt whole(String key) throws WeightFormatException {
        long value = metadata.integer(key).orElse(0);
        if (value < 0 || value > Integer.MAX_VALUE) {
            throw metadata.wrong(key, "a whole number from 0 to %d".formatted(Integer.MAX_VALUE));
        }
        return metadata.has(key) ? OptionalInt.of((int) value) : OptionalInt.empty();
    }

    private OptionalInt same(String key) throws WeightFormatException {
        int layers = whole(prefix + "block_count").orElse(0);
        if (metadata.count(prefix + key) != layers) {
            throw wrong(key, "one element for each of the %d layers".formatted(layers));
        }
        Ints values = metadata.integers(prefix + key).orElse(Ints.of());
        for (int i = 0; i < values.size(); i++) {
            if (values.get(i) < 0 || values.get(i) != values.get(0)) {
                throw wrong(
                        key,
                        "the same from 0 for all layers; layer 0 has %d, layer %d has %d"
                                .formatted(values.get(0), i, values.get(i)));
            }
        }
        return values.isEmpty() ? OptionalInt.empty() : OptionalInt.of(values.get(0));
    }

    /** A token id, or empty if the key, which has no prefix, is absent. */
    OptionalInt token(String key, int vocabularySize) throws WeightFormatException {
        OptionalInt id = whole(key);
        if (id.isPresent() && id.getAsInt() >= vocabularySize) {
            throw metadata.wrong(key, "a token id below %d".formatted(vocabularySize));
        }
        return id;
    }

    /** A number above 0, or empty if the key is absent. */
    OptionalDouble positive(String key) throws WeightFormatException {
        OptionalDouble value = metadata.number(prefix + key);
        if (value.isPresent() && !(value.getAsDouble() > 0 && Double.isFinite(value.getAsDouble()))) {
            throw wrong(key, "a number above 0");
        }
        return value;
    }

    /** A number above 0 that must be there. */
    double requirePositive(String key) throws WeightFormatException {
        return positive(key).orElseThrow(() -> wrong(key, "a number above 0"));
    }

    /** An error about the value of a key. */
    WeightFormatException wrong(String key, String expected) {
        return metadata.wrong(prefix + key, expected);
    }
}
