package dev.troupe.weights.gguf;

import dev.troupe.tensor.Ints;
import dev.troupe.weights.WeightFormatException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The metadata of a GGUF file: keys with typed values. Only positions are kept; a value is read from the mapped file when
 * it is asked for, and asking for another type than the file has is an error. Immutable.
 */
public final class GgufMetadata {
    /** The longest key, in bytes; the format allows more, but no program writes such. */
    static final int MAX_KEY_BYTES = 1024;

    private static final int MAX_KEYS = 100_000;
    private static final int LEAST_ENTRY_BYTES = 8 + 1 + 4 + 1;
    private static final int MAX_TEXT_BYTES = 1 << 25;
    private static final int LONGEST_SHOWN = 100;

    private final String file;
    private final MemorySegment bytes;
    private final Map<String, GgufValue> values;

    private GgufMetadata(String file, MemorySegment bytes, Map<String, GgufValue> values) {
        this.file = file;
        this.bytes = bytes;
        this.values = values;
    }

    /**
     * Reads {@code count} entries and passes them.
     *
     * @throws WeightFormatException if one is malformed, has a key that came before, or does not fit the file
     */
    static GgufMetadata read(GgufCursor cursor, long count) throws WeightFormatException {
        long most = Math.min(MAX_KEYS, cursor.remaining() / LEAST_ENTRY_BYTES);
        if (count < 0 || count > most) {
            throw cursor.broken("counts %s metadata keys, expected at most %d in the %d bytes that follow"
                    .formatted(Long.toUnsignedString(count), most, cursor.remaining()));
        }
        Map<String, GgufValue> values = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            cursor.reading("metadata key", String.valueOf(i));
            String key = cursor.readName(MAX_KEY_BYTES);
            cursor.reading("metadata key", key);
            if (values.put(key, GgufValue.next(cursor)) != null) {
                throw cursor.broken("is there twice");
            }
        }
        return new GgufMetadata(cursor.file(), cursor.bytes(), Collections.unmodifiableMap(values));
    }

    /** The file, for messages. */
    public String file() {
        return file;
    }

    /** All keys in the order of the file. */
    public Set<String> keys() {
        return values.keySet();
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }

    /**
     * A text, or empty if the key is absent. Bytes that are no UTF-8 become U+FFFD.
     *
     * @throws WeightFormatException if the value is no text or longer than 32 MiB
     */
    public Optional<String> text(String key) throws WeightFormatException {
        GgufValue value = find(key, "string", found -> found.type() == GgufValueType.STRING);
        return value == null ? Optional.empty() : Optional.of(textAt(key, value.data()));
    }

    /**
     * A whole number of any width, or empty if the key is absent.
     *
     * @throws WeightFormatException if the value is no integer or does not fit a long
     */
    public OptionalLong integer(String key) throws WeightFormatException {
        GgufValue value = find(key, "an integer", found -> found.type().integral());
        return value == null ? OptionalLong.empty() : OptionalLong.of(integerAt(key, value, 0));
    }

    /**
     * A floating-point number, or empty if the key is absent.
     *
     * @throws WeightFormatException if the value is no floating-point number
     */
    public OptionalDouble number(String key) throws WeightFormatException {
        GgufValue value = find(key, "float32 or float64", found -> found.type().floating());
        return value == null ? OptionalDouble.empty() : OptionalDouble.of(value.number(bytes, 0));
    }

    /**
     * True or false, or empty if the key is absent.
     *
     * @throws WeightFormatException if the value is no bool, or a byte other than 0 and 1
     */
    public Optional<Boolean> flag(String key) throws WeightFormatException {
        GgufValue value = find(key, "bool", found -> found.type() == GgufValueType.BOOL);
        if (value == null) {
            return Optional.empty();
        }
        byte stored = bytes.get(ValueLayout.JAVA_BYTE, value.data());
        if (stored != 0 && stored != 1) {
            throw wrong(key, "0 or 1");
        }
        return Optional.of(stored == 1);
    }

    /**
     * The texts of an array, empty if the key is absent. Bytes that are no UTF-8 become U+FFFD.
     *
     * @throws WeightFormatException if the value is no array of texts
     */
    public List<String> texts(String key) throws WeightFormatException {
        GgufValue value = find(key, "array of string", found -> found.element() == GgufValueType.STRING);
        if (value == null) {
            return List.of();
        }
        String[] texts = new String[size(key, value)];
        long at = value.data();
        for (int i = 0; i < texts.length; i++) {
            texts[i] = textAt(key, at);
            at += Long.BYTES + GgufValue.textBytes(bytes, at);
        }
        return Collections.unmodifiableList(Arrays.asList(texts));
    }

    /**
     * The whole numbers of an array, or empty if the key is absent.
     *
     * @throws WeightFormatException if the value is no array of integers, or one of them does not fit an int
     */
    public Optional<Ints> integers(String key) throws WeightFormatException {
        GgufValue value = find(key, "array of integers", GgufValue::isIntegers);
        if (value == null) {
            return Optional.empty();
        }
        int[] integers = new int[size(key, value)];
        for (int i = 0; i < integers.length; i++) {
            long element = integerAt(key, value, i);
            if (element != (int) element) {
                throw new WeightFormatException("%s: metadata key %s has the element %d, expected %d to %d"
                        .formatted(
                                file, WeightFormatException.shown(key), element, Integer.MIN_VALUE, Integer.MAX_VALUE));
            }
            integers[i] = (int) element;
        }
        return Optional.of(Ints.of(integers));
    }

    /**
     * The numbers of an array, empty if the key is absent.
     *
     * @throws WeightFormatException if the value is no array of float32
     */
    public float[] numbers(String key) throws WeightFormatException {
        GgufValue value = find(key, "array of float32", found -> found.element() == GgufValueType.FLOAT32);
        float[] numbers = new float[value == null ? 0 : size(key, value)];
        for (int i = 0; value != null && i < numbers.length; i++) {
            numbers[i] = (float) value.number(bytes, i);
        }
        return numbers;
    }

    /** Elements of an array; 1 for another value, 0 if the key is absent. */
    public long count(String key) {
        GgufValue value = values.get(key);
        return value == null ? 0 : value.count();
    }

    /** Whether the value is an array; false if the key is absent. */
    public boolean isArray(String key) {
        GgufValue value = values.get(key);
        return value != null && value.element() != null;
    }

    /** Whether the value is a whole number; false if the key is absent. */
    public boolean isInteger(String key) {
        GgufValue value = values.get(key);
        return value != null && value.type().integral();
    }

    /**
     * The value as it lies in the file, the number of its type in front.
     *
     * @throws IllegalArgumentException if the key is absent
     */
    public MemorySegment stored(String key) {
        GgufValue value = values.get(key);
        if (value == null) {
            throw new IllegalArgumentException("%s has no metadata key %s".formatted(file, key));
        }
        return bytes.asSlice(value.begin(), value.end() - value.begin());
    }

    /** The value for people, on one line and shortened; what it is for an array. */
    public String shown(String key) {
        GgufValue value = values.get(key);
        if (value == null) {
            return "nothing";
        }
        long at = value.data();
        return switch (value.type()) {
            case ARRAY -> "%s, %d elements".formatted(value.label(), value.count());
            case STRING -> {
                long length = Math.min(4 * LONGEST_SHOWN, GgufValue.textBytes(bytes, at));
                yield WeightFormatException.shown(decode(at + Long.BYTES, (int) length));
            }
            case BOOL -> String.valueOf(bytes.get(ValueLayout.JAVA_BYTE, at) != 0);
            case FLOAT32 -> String.valueOf((float) value.number(bytes, 0));
            case FLOAT64 -> String.valueOf(value.number(bytes, 0));
            case UINT64 -> Long.toUnsignedString(value.integer(bytes, 0));
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, INT64 -> String.valueOf(value.integer(bytes, 0));
        };
    }

    /** An error about the value of a key. */
    public WeightFormatException wrong(String key, String expected) {
        return new WeightFormatException("%s: metadata key %s = %s, expected %s"
                .formatted(file, WeightFormatException.shown(key), shown(key), expected));
    }

    private @Nullable GgufValue find(String key, String expected, Predicate<GgufValue> fits)
            throws WeightFormatException {
        GgufValue value = values.get(key);
        if (value != null && !fits.test(value)) {
            throw new WeightFormatException("%s: metadata key %s is of type %s, expected %s"
                    .formatted(file, WeightFormatException.shown(key), value.label(), expected));
        }
        return value;
    }

    private int size(String key, GgufValue value) throws WeightFormatException {
        if (value.count() > Integer.MAX_VALUE - 8) {
            throw wrong(key, "at most %d elements".formatted(Integer.MAX_VALUE - 8));
        }
        return (int) value.count();
    }

    private String textAt(String key, long at) throws WeightFormatException {
        long length = GgufValue.textBytes(bytes, at);
        if (length > MAX_TEXT_BYTES) {
            throw new WeightFormatException("%s: metadata key %s has a text of %d bytes, expected at most %d"
                    .formatted(file, WeightFormatException.shown(key), length, MAX_TEXT_BYTES));
        }
        return length == 0 ? "" : decode(at + Long.BYTES, (int) length);
    }

    private String decode(long at, int length) {
        byte[] text = new byte[length];
        MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, text, 0, length);
        return new String(text, StandardCharsets.UTF_8);
    }

    private long integerAt(String key, GgufValue value, int index) throws WeightFormatException {
        long integer = value.integer(bytes, index);
        if (value.isTooLarge(bytes, index)) {
            throw new WeightFormatException("%s: metadata key %s has the number %s, expected at most %d"
                    .formatted(file, WeightFormatException.shown(key), Long.toUnsignedString(integer), Long.MAX_VALUE));
        }
        return integer;
    }
}
