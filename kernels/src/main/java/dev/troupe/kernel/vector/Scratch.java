package dev.troupe.kernel.vector;

import java.lang.foreign.Arena;

/**
 * Off-heap memory of one user that grows to the largest size asked for and then stays, so that hot paths do not allocate.
 * Its contents do not survive growing.
 */
final class Scratch implements AutoCloseable {
    private Arena arena = Arena.ofShared();
    private long bytes;
    private long address;

    /** Address of at least {@code needed} bytes, aligned to 64, with 64 readable bytes behind them. */
    long atLeast(long needed) {
        if (needed > bytes) {
            arena.close();
            arena = Arena.ofShared();
            bytes = Math.max(needed, Math.min(2 * bytes, needed + (1 << 20)));
            address = arena.allocate(bytes + 64, 64).address();
        }
        return address;
    }

    @Override
    public void close() {
        arena.close();
    }
}
