package dev.troupe.kernel.cuda.driver;

import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jcuda.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * The arguments of one launch after the other, written in the order of the kernel's struct: maps of tensors, pointers, then numbers of 4
 * bytes. A launch takes a copy, so the next one begins anew. One for each thread that launches.
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
    private int alignment;

    /** How the 16-byte chunks of a box's lines change places in shared memory. */
    public enum Swizzle {
        /** In lines of 64 bytes. */
        OF_64(2),
        /** In lines of 128 bytes. */
        OF_128(3);

        private final int number;

        Swizzle(int number) {
            this.number = number;
        }

        /** As {@code cuda.h} has it. */
        int number() {
            return number;
        }
    }

    /**
     * One index of a tensor.
     *
     * @param length at least 1
     * @param stride bytes from one to the next: 2 for the fastest index, a multiple of 16 for others
     * @param box how many of them a copy takes, 1 to 256
     */
    public record Axis(long length, long stride, int box) {}

    KernelArguments(DeviceHeap memory, Arena arena) {
        this.memory = memory;
        this.block = arena.allocate(MOST_BYTES, TensorMaps.ALIGNMENT);
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
        alignment = Long.BYTES;
        return this;
    }

    /**
     * The next field, a map of a tensor of two-byte numbers. What a box has outside of the tensor will be zeros.
     *
     * @param of the tensor, from a multiple of 16 bytes on
     * @param axes two or three, the fastest first, of which a box has no more bytes than are swizzled
     * @throws IllegalArgumentException if the memory is not of the device
     * @throws CudaException if the driver refuses
     */
    public KernelArguments tensor(MemorySegment of, Swizzle swizzle, Axis... axes) {
        memory.makeCurrent();
        TensorMaps.write(nextMap(), memory.requireAddress(of), swizzle, axes);
        return this;
    }

    /** The next field, a map that the kernel does not use. */
    public KernelArguments noTensor() {
        nextMap().fill((byte) 0);
        return this;
    }

    private MemorySegment nextMap() {
        MemorySegment map = block.asSlice(next, TensorMaps.BYTES);
        next += TensorMaps.BYTES;
        alignment = TensorMaps.ALIGNMENT;
        return map;
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

    /** The struct as the driver takes it, padded to the alignment of its fields. */
    Pointer complete() {
        size.set(ValueLayout.JAVA_LONG, 0, (next + alignment - 1) / alignment * alignment);
        return extra;
    }
}
