package dev.troupe.wire.kryo;

import com.esotericsoftware.kryo.io.Output;
import java.lang.foreign.MemorySegment;

/** A Kryo output that lends out room for bulk data. */
final class WireOutput extends Output {
    private static final int SMALL = 4 * 1024;
    private static final int KEPT = 1024 * 1024;
    private final int limit;

    /** Grows up to {@code limit} bytes. */
    WireOutput(int limit) {
        super(SMALL, limit);
        this.limit = limit;
    }

    /** The next {@code bytes} bytes, to be filled by the caller. */
    MemorySegment reserve(int bytes) {
        require(bytes);
        MemorySegment room = MemorySegment.ofArray(getBuffer()).asSlice(position, bytes);
        position += bytes;
        return room;
    }

    /** Empties this output, and lets go of a buffer that one large message has made. */
    void clear() {
        if (getBuffer().length > KEPT) {
            setBuffer(new byte[SMALL], limit);
        } else {
            reset();
        }
    }
}
