package dev.troupe.wire.kryo;

import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.io.Input;

/** Reads lengths that a stranger wrote: none is believed that the bytes at hand cannot hold. */
final class Lengths {
    private Lengths() {}

    /**
     * A number of elements.
     *
     * @param bytesEach the fewest bytes that an element takes, at least 1
     * @throws KryoException if the bytes left cannot hold that many
     */
    static int readCount(Input input, int bytesEach, String what) {
        int count = input.readVarInt(true);
        requireLeft(input, count, bytesEach, what);
        return count;
    }

    /** Checks that {@code count} elements of at least {@code bytesEach} bytes may follow. */
    static void requireLeft(Input input, long count, int bytesEach, String what) {
        int left = input.limit() - input.position();
        if (count < 0 || count > left / bytesEach) {
            throw new KryoException(
                    "%d %s of at least %d bytes in the %d bytes left".formatted(count, what, bytesEach, left));
        }
    }
}
