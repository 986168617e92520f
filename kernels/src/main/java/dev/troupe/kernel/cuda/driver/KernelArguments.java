package dev.troupe.kernel.cuda.driver;

import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jcuda.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * The arguments of one launch after the other, written in the order of the kernel's struct: pointers, then numbers of 4 bytes. A
 * launch takes a copy, so the next one begins anew. One for each thread that launches.
 */
public final class KernelArguments {
    /** What every driver allows. */
    private static final int MOST_BYTES = 4096;

    private static final long BUFFER_POINTER = 1;
    private static final long BUFFER_SIZE = 2;

    private final DeviceHeap memory;
    private final MemorySegment block;
    private final MemorySegment size;
    private final Pointer extra;
    private long next;

    KernelArguments(DeviceHeap memory, Arena arena) {
        this.memory = memory;
        this.block = arena.allocate(MOST_BYTES, Long.BYTES);
        this.size = arena.allocate(ValueLayout.JAVA_LONG);
        MemorySegment list = arena.allocate(ValueLayout.JAVA_LONG, 5);
        list.setAtIndex(ValueLayout.JAVA_LONG, 0, BUFFER_POINTER);
        list.setAtIndex(ValueLayout.JAVA_LONG, 1, block.address());
        list.setAtIndex(ValueLayout.JAVA_LONG, 2, BUFFER_SIZE);
        list.setAtIndex(ValueLayout.JAVA_LONG, 3, size.address());
        this.extra = new HostAddress(list);
    }

    KernelArguments begin() {
        next = 0;
        return this;
    }

    /**
     * The next field, a pointer.
     *
     * @throws IllegalArgumentException if the memory is not of the device
     */
    public KernelArguments pointer(MemorySegment of) {
        block.set(ValueLayout.JAVA_LONG, next, memory.requireAddress(of));
        next += Long.BYTES;
        return this;
    }

    /** The next field, a pointer to nothing. */
    public KernelArguments nothing() {
        block.set(ValueLayout.JAVA_LONG, next, 0);
        next += Long.BYTES;
        return this;
    }

    /**
     * The next field, a pointer to a tensor, or to nothing.
     *
     * @throws IllegalArgumentException if the tensor is not of the device
     */
    public KernelArguments optional(@Nullable Tensor of) {
        return of == null ? nothing() : pointer(of.memory());
    }

    /** The next field, an {@code int}. */
    public KernelArguments number(int value) {
        block.set(ValueLayout.JAVA_INT, next, value);
        next += Integer.BYTES;
        return this;
    }

    /** The next field, a {@code float}. */
    public KernelArguments number(float value) {
        block.set(ValueLayout.JAVA_FLOAT, next, value);
        next += Float.BYTES;
        return this;
    }

    /** The struct as the driver takes it, padded to the alignment of its pointers. */
    Pointer complete() {
        size.set(ValueLayout.JAVA_LONG, 0, (next + Long.BYTES - 1) / Long.BYTES * Long.BYTES);
        return extra;
    }
}
