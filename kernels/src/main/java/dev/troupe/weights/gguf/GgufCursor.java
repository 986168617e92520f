package dev.troupe.weights.gguf;

import dev.troupe.weights.WeightFormatException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Reads a file from its beginning, little endian, and never beyond its end. */
final class GgufCursor {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String file;
    private final MemorySegment bytes;
    private String kind = "the header";
    private String name = "";
    private long position;

    /** @param file name for messages */
    GgufCursor(String file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    String file() {
        return file;
    }

    /** The whole file. */
    MemorySegment bytes() {
        return bytes;
    }

    /** Bytes from the beginning of the file. */
    long position() {
        return position;
    }

    /** Bytes up to the end of the file. */
    long remaining() {
        return bytes.byteSize() - position;
    }

    /** What is read from now on, for messages: a kind of thing, and its name or nothing. */
    void reading(String newKind, String newName) {
        kind = newKind;
        name = newName;
    }

    int readInt() throws WeightFormatException {
        long at = advance(Integer.BYTES);
        return bytes.get(INT, at);
    }

    /** Any 64 bits; a count or a length that is above {@link Long#MAX_VALUE} is negative here. */
    long readLong() throws WeightFormatException {
        long at = advance(Long.BYTES);
        return bytes.get(LONG, at);
    }

    /**
     * Text behind its length.
     *
     * @param limit longest that is believed, in bytes
     * @throws WeightFormatException if it is empty, longer than the limit, or not of printable ASCII characters
     */
    String readName(int limit) throws WeightFormatException {
        long length = readLong();
        if (length < 1 || length > limit) {
            throw broken("has a name of %s bytes, expected 1 to %d".formatted(Long.toUnsignedString(length), limit));
        }
        long at = advance(length);
        byte[] text = bytes.asSlice(at, length).toArray(ValueLayout.JAVA_BYTE);
        String read = new String(text, StandardCharsets.ISO_8859_1);
        if (read.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            throw broken("has the name %s, expected printable ASCII characters"
                    .formatted(WeightFormatException.shown(read)));
        }
        return read;
    }

    /** Passes text of any length. */
    void skipText() throws WeightFormatException {
        skip(readLong());
    }

    /** Passes {@code count} bytes; a negative count is one above {@link Long#MAX_VALUE}. */
    void skip(long count) throws WeightFormatException {
        advance(count);
    }

    private long advance(long count) throws WeightFormatException {
        if (count < 0 || count > remaining()) {
            throw broken("takes %s bytes from byte %d on, but the file ends at byte %d"
                    .formatted(Long.toUnsignedString(count), position, bytes.byteSize()));
        }
        long at = position;
        position += count;
        return at;
    }

    /** An error about what is being read. */
    WeightFormatException broken(String problem) {
        return new WeightFormatException(about(problem));
    }

    WeightFormatException broken(String problem, Throwable cause) {
        return new WeightFormatException(about(problem), cause);
    }

    private String about(String problem) {
        String what = name.isEmpty() ? kind : "%s %s".formatted(kind, WeightFormatException.shown(name));
        return "%s: %s %s".formatted(file, what, problem);
    }
}
