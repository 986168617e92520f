package dev.troupe.weights.gguf;

import dev.troupe.weights.WeightFormatException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Where a metadata value lies in a file, and what it is.
 *
 * @param type of the value
 * @param element of an array, else null
 * @param count elements of an array, else 1
 * @param begin first byte of the number of the type
 * @param data first byte of the value or of the first element
 * @param end byte behind it
 */
record GgufValue(GgufValueType type, @Nullable GgufValueType element, long count, long begin, long data, long end) {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /**
     * Finds out what the next value is, and passes it.
     *
     * @throws WeightFormatException if its type is unknown, or it does not fit the file
     */
    static GgufValue next(GgufCursor cursor) throws WeightFormatException {
        long begin = cursor.position();
        GgufValueType type = type(cursor);
        GgufValueType element = null;
        long count = 1;
        if (type == GgufValueType.ARRAY) {
            element = type(cursor);
            if (element == GgufValueType.ARRAY) {
                throw cursor.broken("is an array of arrays, which is not supported");
            }
            count = cursor.readLong();
        }
        long data = cursor.position();
        if (element != null) {
            skip(cursor, element, count);
        } else if (type == GgufValueType.STRING) {
            cursor.skipText();
        } else {
            cursor.skip(type.bytes());
        }
        return new GgufValue(type, element, count, begin, data, cursor.position());
    }

    private static GgufValueType type(GgufCursor cursor) throws WeightFormatException {
        int id = cursor.readInt();
        GgufValueType type = GgufValueType.of(id);
        if (type == null) {
            throw cursor.broken("has the unknown value type %s, expected 0 to %d"
                    .formatted(Integer.toUnsignedString(id), GgufValueType.values().length - 1));
        }
        return type;
    }

    private static void skip(GgufCursor cursor, GgufValueType type, long count) throws WeightFormatException {
        int least = type == GgufValueType.STRING ? Long.BYTES : type.bytes();
        if (count < 0 || count > cursor.remaining() / least) {
            throw cursor.broken("has %s elements of type %s, but only %d bytes follow"
                    .formatted(Long.toUnsignedString(count), type.label(), cursor.remaining()));
        }
        if (type == GgufValueType.STRING) {
            for (long i = 0; i < count; i++) {
                cursor.skipText();
            }
        } else {
            cursor.skip(count * least);
        }
    }

    /** Name of the type in messages. */
    String label() {
        return element == null ? type.label() : "array of %s".formatted(element.label());
    }

    /** Whether it is an array of integers. */
    boolean isIntegers() {
        return element != null && element.integral();
    }

    /** The type of the value, or of the elements of an array. */
    private GgufValueType stored() {
        return element == null ? type : element;
    }

    /** Bytes of the text that begins at {@code at}. */
    static long textBytes(MemorySegment file, long at) {
        return file.get(LONG, at);
    }

    /** The whole number at {@code index}; one of type uint64 that does not fit is negative here. */
    long integer(MemorySegment file, int index) {
        long at = data + (long) index * stored().bytes();
        return switch (stored()) {
            case UINT8, BOOL -> file.get(ValueLayout.JAVA_BYTE, at) & 0xff;
            case INT8 -> file.get(ValueLayout.JAVA_BYTE, at);
            case UINT16 -> file.get(SHORT, at) & 0xffff;
            case INT16 -> file.get(SHORT, at);
            case UINT32 -> file.get(INT, at) & 0xffff_ffffL;
            case INT32 -> file.get(INT, at);
            case UINT64, INT64 -> file.get(LONG, at);
            case FLOAT32, FLOAT64, STRING, ARRAY ->
                throw new IllegalArgumentException("%s is no integer type".formatted(label()));
        };
    }

    /** Whether the whole number at {@code index} is above {@link Long#MAX_VALUE}. */
    boolean isTooLarge(MemorySegment file, int index) {
        return stored() == GgufValueType.UINT64 && integer(file, index) < 0;
    }

    /** The floating-point number at {@code index}. */
    double number(MemorySegment file, int index) {
        return stored() == GgufValueType.FLOAT32
                ? Float.intBitsToFloat(file.get(INT, data + (long) index * Float.BYTES))
                : Double.longBitsToDouble(file.get(LONG, data + (long) index * Double.BYTES));
    }
}
