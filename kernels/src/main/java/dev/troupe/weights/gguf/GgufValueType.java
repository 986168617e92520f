package dev.troupe.weights.gguf;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Types of metadata values; as the format numbers them. */
enum GgufValueType {
    UINT8(0, 1),
    INT8(1, 1),
    UINT16(2, 2),
    INT16(3, 2),
    UINT32(4, 4),
    INT32(5, 4),
    FLOAT32(6, 4),
    BOOL(7, 1),
    STRING(8, 0),
    ARRAY(9, 0),
    UINT64(10, 8),
    INT64(11, 8),
    FLOAT64(12, 8);

    private static final GgufValueType[] BY_ID = values();

    private final int id;
    private final int bytes;

    GgufValueType(int id, int bytes) {
        this.id = id;
        this.bytes = bytes;
    }

    /** The type of that number, or null. */
    static @Nullable GgufValueType of(int id) {
        return id < 0 || id >= BY_ID.length ? null : BY_ID[id];
    }

    /** The number that stands for it in a file. */
    int id() {
        return id;
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
