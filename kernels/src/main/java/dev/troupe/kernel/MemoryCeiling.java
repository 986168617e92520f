package dev.troupe.kernel;

import dev.troupe.tensor.LargePages;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorSpecies;

/** The read bandwidth of this machine's memory: the ceiling beside every decode number. */
public final class MemoryCeiling {
    private static final VectorSpecies<Long> LANES = LongVector.SPECIES_PREFERRED;

    @SuppressWarnings("restricted") // reads stay inside the arena that bytesPerSecond owns
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private static final int STEP = 4 * LANES.vectorByteSize();
    private static final long PIECE = 1 << 20;

    /** Written so that no read can be optimised away. */
    @SuppressWarnings("UnusedVariable")
    private static volatile long sink;

    private MemoryCeiling() {}

    /**
     * Reads {@code bytes} of memory, far more than the caches hold, with each of {@code threads} threads reading its own
     * share at the same time.
     *
     * @param bytes per pass, all threads together
     * @param passes timed passes after two that warm up
     * @return median bytes per second over the passes
     */
    public static double bytesPerSecond(int threads, long bytes, int passes) {
        if (threads < 1 || passes < 1 || bytes < (long) threads * STEP) {
            throw new IllegalArgumentException("threads=%d, bytes=%d, passes=%d".formatted(threads, bytes, passes));
        }
        long share = bytes / threads / STEP * STEP;
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = LargePages.allocate(arena, share * threads, 64);
            memory.fill((byte) 1);
            long from = memory.address();
            double seconds =
                    CeilingRun.medianSeconds(threads, passes, thread -> sink = sum(from + thread * share, share));
            return share * threads / seconds;
        }
    }

    private static long sum(long from, long bytes) {
        long total = 0;
        for (long at = from; at < from + bytes; at += PIECE) {
            total += sumPiece(at, (int) Math.min(PIECE, from + bytes - at));
        }
        return total;
    }

    /** An int loop counter: C2 leaves loops over longs alone. */
    private static long sumPiece(long from, int bytes) {
        LongVector a = LongVector.zero(LANES);
        LongVector b = a;
        LongVector c = a;
        LongVector d = a;
        int width = LANES.vectorByteSize();
        for (int i = 0; i < bytes; i += 4 * width) {
            a = a.add(LongVector.fromMemorySegment(LANES, ALL, from + i, ByteOrder.nativeOrder()));
            b = b.add(LongVector.fromMemorySegment(LANES, ALL, from + i + width, ByteOrder.nativeOrder()));
            c = c.add(LongVector.fromMemorySegment(LANES, ALL, from + i + 2L * width, ByteOrder.nativeOrder()));
            d = d.add(LongVector.fromMemorySegment(LANES, ALL, from + i + 3L * width, ByteOrder.nativeOrder()));
        }
        return a.add(b).add(c.add(d)).lane(0);
    }
}
