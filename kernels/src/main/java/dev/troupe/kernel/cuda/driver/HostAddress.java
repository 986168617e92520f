package dev.troupe.kernel.cuda.driver;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;

/** An address of the host as JCuda takes it. */
final class HostAddress extends Pointer {
    /** @throws IllegalArgumentException if the memory lies on the Java heap, where it may move while it is copied */
    HostAddress(MemorySegment memory) {
        super(requireNative(memory).address());
    }

    private static MemorySegment requireNative(MemorySegment memory) {
        if (!memory.isNative()) {
            throw new IllegalArgumentException("%s lies on the Java heap, expected native memory".formatted(memory));
        }
        return memory;
    }
}
