package dev.troupe.kernel;

import dev.troupe.kernel.natives.NativeProducts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalDouble;

/** How fast this machine multiplies and adds eight-bit integers: the ceiling of native products of quantised weights. */
public final class DotCeiling {
    private static final long ROUNDS = 1 << 20;

    private DotCeiling() {}

    /**
     * Dot products in registers, with all of {@code threads} threads at the same time.
     *
     * @param passes timed passes after two that warm up
     * @return median operations a second over the passes, a product and its addition counted as two; empty where no native
     *     products run
     */
    public static OptionalDouble operationsPerSecond(int threads, int passes) {
        if (threads < 1 || passes < 1) {
            throw new IllegalArgumentException("threads=%d, passes=%d".formatted(threads, passes));
        }
        if (TrustedNatives.refusal() != null) {
            return OptionalDouble.empty();
        }
        try (Arena arena = Arena.ofShared()) {
            MemorySegment left = arena.allocate(64L * threads, 64);
            long products = NativeProducts.dots(0, left.address());
            double seconds = CeilingRun.medianSeconds(
                    threads, passes, thread -> NativeProducts.dots(ROUNDS, left.address() + 64L * thread));
            return OptionalDouble.of(2.0 * products * ROUNDS * threads / seconds);
        }
    }
}
