package dev.troupe.kernel.cuda.driver;

import java.lang.foreign.MemorySegment;

/**
 * Rows of equal length in memory, for one copy of all of them.
 *
 * @param memory from the beginning of the first to the end of the last
 * @param count at least 1
 * @param bytes of each
 * @param stride bytes from the beginning of one to that of the next, at least {@code bytes}
 */
public record MemoryRows(MemorySegment memory, int count, long bytes, long stride) {
    public MemoryRows {
        if (count < 1 || stride < bytes || memory.byteSize() != (count - 1) * stride + bytes) {
            throw new IllegalArgumentException("%d rows of %d bytes every %d bytes are not %d bytes of memory"
                    .formatted(count, bytes, stride, memory.byteSize()));
        }
    }

    MemorySegment row(int i) {
        return memory.asSlice(i * stride, bytes);
    }

    void requireSame(MemoryRows other) {
        if (count != other.count || bytes != other.bytes) {
            throw new IllegalArgumentException("%d rows of %d bytes cannot be copied to %d rows of %d bytes"
                    .formatted(count, bytes, other.count, other.bytes));
        }
    }
}
