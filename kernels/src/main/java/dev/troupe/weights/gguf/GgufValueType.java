package dev.troupe.weights.gguf;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Types of metadata values; the ordinal is the number that stands for the type in a file. */
enum GgufValueType {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    STRING(0),
    ARRAY(0),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private static final GgufValueType[] BY_ID = values();

    private final int bytes;

    GgufValueType(int bytes) {
        this.bytes = bytes;
    }

    /** The type of that number, or null. */
    static @Nullable GgufValueType of(int id) {
        return id < 0 || id >= BY_ID.length ? null : BY_ID[id];
    }

    /** Bytes of a value, or 0 if they vary. */
    int bytes() {
        return bytes;
    }

    boolean integral() {
        return switch (this) {
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
            case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
        };
    }

    boolean floating() {
        return this == FLOAT32 || this == FLOAT64;
    }

    /** Name in messages, for example {@code uint32}. */
    String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
