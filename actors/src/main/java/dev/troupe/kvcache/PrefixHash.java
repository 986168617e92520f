package dev.troupe.kvcache;

import java.nio.ByteBuffer;

/** The name of what a full KV block holds: a SHA-256 over all that its keys and values depend on. */
public record PrefixHash(long a, long b, long c, long d) {
    /** Bytes of a hash. */
    static final int BYTES = 4 * Long.BYTES;

    static PrefixHash of(byte[] digest) {
        ByteBuffer bytes = ByteBuffer.wrap(digest);
        return new PrefixHash(bytes.getLong(), bytes.getLong(), bytes.getLong(), bytes.getLong());
    }

    void putInto(ByteBuffer bytes) {
        bytes.putLong(a).putLong(b).putLong(c).putLong(d);
    }

    @Override
    public String toString() {
        return "%016x%016x%016x%016x".formatted(a, b, c, d);
    }
}
