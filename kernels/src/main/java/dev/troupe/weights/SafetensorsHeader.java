package dev.troupe.weights;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The JSON header of a safetensors file, read token by token and believed in nothing: every size is computed exactly and
 * compared with the bytes that are there, and the tensors must fill the data without overlap and without a hole.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">The safetensors format</a>
 */
final class SafetensorsHeader {
    /** The longest header that is read, in bytes; the limit of the format's own implementation. */
    static final long MAX_BYTES = 100_000_000;

    private static final int MAX_DIMENSIONS = 16;

    private final String file;
    private final long dataBytes;
    private final List<Entry> entries = new ArrayList<>();

    private SafetensorsHeader(String file, long dataBytes) {
        this.file = file;
        this.dataBytes = dataBytes;
    }

    /** One tensor and its bytes {@code [begin, end)} of the data. */
    record Entry(WeightTensor tensor, long begin, long end) {}

    /**
     * Reads a header.
     *
     * @param file name for messages
     * @param header the JSON text; its first byte must be an opening brace
     * @param dataBytes bytes that follow the header in the file
     * @return the tensors by ascending position
     * @throws WeightFormatException if anything about it is wrong
     */
    static List<Entry> read(String file, InputStream header, long dataBytes) throws IOException {
        SafetensorsHeader reader = new SafetensorsHeader(file, dataBytes);
        try (JsonParser parser = StrictJson.parser(header)) {
            reader.readObject(parser);
        } catch (JsonProcessingException | CharacterCodingException e) {
            throw StrictJson.malformed("%s: the header".formatted(file), e);
        }
        return reader.requireContiguous();
    }

    private void readObject(JsonParser parser) throws IOException {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw broken("the header is no JSON object");
        }
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            if (name.equals("__metadata__")) {
                readMetadata(parser);
            } else {
                entries.add(readTensor(parser, name));
            }
        }
        if (parser.nextToken() != null) {
            throw broken("the header goes on after its JSON object");
        }
    }

    private void readMetadata(JsonParser parser) throws IOException {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw broken("__metadata__ is no JSON object");
        }
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String key = parser.currentName();
            if (parser.nextToken() != JsonToken.VALUE_STRING) {
                throw broken("__metadata__ has the key %s with a value that is no string"
                        .formatted(WeightFormatException.shown(key)));
            }
        }
    }

    private Entry readTensor(JsonParser parser, String name) throws IOException {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw broken(name, "is described by %s, expected an object".formatted(parser.currentToken()));
        }
        String typeName = null;
        List<Long> shape = null;
        List<Long> offsets = null;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String key = parser.currentName();
            switch (key) {
                case "dtype" -> typeName = readString(parser, name);
                case "shape" -> shape = readSizes(parser, name, key);
                case "data_offsets" -> offsets = readSizes(parser, name, key);
                default ->
                    throw broken(
                            name,
                            "has the key %s, expected dtype, shape and data_offsets"
                                    .formatted(WeightFormatException.shown(key)));
            }
        }
        return check(name, typeName, shape, offsets);
    }

    private String readString(JsonParser parser, String name) throws IOException {
        if (parser.nextToken() != JsonToken.VALUE_STRING) {
            throw broken(name, "has a dtype that is no string");
        }
        return parser.getText();
    }

    private List<Long> readSizes(JsonParser parser, String name, String key) throws IOException {
        if (parser.nextToken() != JsonToken.START_ARRAY) {
            throw broken(name, "has a %s that is no array".formatted(key));
        }
        List<Long> sizes = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
                throw broken(name, "has a %s with an element that is no integer".formatted(key));
            }
            if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER || parser.getLongValue() < 0) {
                throw broken(
                        name,
                        "has a %s with the element %s, expected 0 to %d"
                                .formatted(key, WeightFormatException.shown(parser.getText()), Long.MAX_VALUE));
            }
            if (sizes.size() == MAX_DIMENSIONS) {
                throw broken(name, "has a %s of more than %d elements".formatted(key, MAX_DIMENSIONS));
            }
            sizes.add(parser.getLongValue());
        }
        return sizes;
    }

    private Entry check(
            String name, @Nullable String typeName, @Nullable List<Long> shape, @Nullable List<Long> offsets)
            throws WeightFormatException {
        if (typeName == null || shape == null || offsets == null) {
            throw broken(
                    name,
                    "lacks its %s".formatted(typeName == null ? "dtype" : shape == null ? "shape" : "data_offsets"));
        }
        SafetensorsType type = SafetensorsType.named(typeName);
        if (type == null) {
            throw broken(name, "has the unknown dtype %s".formatted(WeightFormatException.shown(typeName)));
        }
        if (offsets.size() != 2) {
            throw broken(name, "has data_offsets with %d elements, expected 2".formatted(offsets.size()));
        }
        long begin = offsets.getFirst();
        long end = offsets.getLast();
        if (end < begin) {
            throw broken(name, "ends at %d, before its begin at %d".formatted(end, begin));
        }
        if (end > dataBytes) {
            throw broken(
                    name,
                    "occupies bytes %d to %d of the data, but the file has only %d bytes of data"
                            .formatted(begin, end, dataBytes));
        }
        long expected = byteSize(name, type, shape);
        if (end - begin != expected) {
            throw broken(
                    name,
                    "of dtype %s and shape %s takes %d bytes, but its data_offsets %d to %d span %d"
                            .formatted(typeName, shape, expected, begin, end, end - begin));
        }
        return new Entry(new WeightTensor(name, typeName, type.computed(), shape, expected, file), begin, end);
    }

    private long byteSize(String name, SafetensorsType type, List<Long> shape) throws WeightFormatException {
        try {
            long bits = type.bits();
            for (long size : shape) {
                bits = Math.multiplyExact(bits, size);
            }
            if (bits % 8 != 0) {
                throw broken(name, "of dtype %s and shape %s does not fill whole bytes".formatted(type, shape));
            }
            return bits / 8;
        } catch (ArithmeticException e) {
            throw new WeightFormatException(
                    "%s: tensor %s of dtype %s and shape %s has a size beyond 64 bits"
                            .formatted(file, WeightFormatException.shown(name), type, shape),
                    e);
        }
    }

    private List<Entry> requireContiguous() throws WeightFormatException {
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long next = 0;
        for (Entry entry : entries) {
            if (entry.begin() < next) {
                throw broken(
                        entry.tensor().name(),
                        "begins at byte %d of the data and overlaps the tensor before it, which ends at %d"
                                .formatted(entry.begin(), next));
            }
            if (entry.begin() > next) {
                throw broken(
                        entry.tensor().name(),
                        "begins at byte %d of the data, but the tensor before it ends at %d: a hole of %d bytes"
                                .formatted(entry.begin(), next, entry.begin() - next));
            }
            next = entry.end();
        }
        if (next != dataBytes) {
            throw broken("the tensors end at byte %d of the data, but the file has %d bytes of data"
                    .formatted(next, dataBytes));
        }
        return List.copyOf(entries);
    }

    private WeightFormatException broken(String problem) {
        return new WeightFormatException("%s: %s".formatted(file, problem));
    }

    private WeightFormatException broken(String name, String problem) {
        return new WeightFormatException(
                "%s: tensor %s %s".formatted(file, WeightFormatException.shown(name), problem));
    }
}
