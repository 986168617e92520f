package dev.troupe.kernel.cuda.driver;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Says how tensors of two-byte numbers lie, for kernels of compute capability 9.0 that copy boxes of them to shared memory. The driver writes
 * it down in a form of its own ({@code cuTensorMapEncodeTiled} of CUDA 12.0), for which JCuda has no call.
 */
final class TensorMaps {
    /** Bytes of a map, and what its address is a multiple of. */
    static final int BYTES = 128;

    static final int ALIGNMENT = 64;

    private static final int ELEMENT_BYTES = 2;
    private static final int MOST_INDICES = 3;

    /** Numbers of {@code cuda.h}. */
    private static final int TYPE_UINT16 = 1;

    private static final int NOT_INTERLEAVED = 0;
    private static final int PROMOTE_TO_128_BYTES = 2;
    private static final int FILL_WITH_ZEROS = 0;

    private TensorMaps() {}

    /** Looks the call up when it is first touched. */
    private static final class Once {
        static final MethodHandle ENCODE = find();

        @SuppressWarnings(
                "restricted") // the driver's library, which this process has loaded; types are those of cuda.h
        private static MethodHandle find() {
            AddressLayout address = ValueLayout.ADDRESS;
            ValueLayout.OfInt number = ValueLayout.JAVA_INT;
            return Linker.nativeLinker()
                    .downcallHandle(
                            SymbolLookup.libraryLookup("libcuda.so.1", Arena.global())
                                    .findOrThrow("cuTensorMapEncodeTiled"),
                            FunctionDescriptor.of(
                                    number,
                                    address,
                                    number,
                                    number,
                                    ValueLayout.JAVA_LONG,
                                    address,
                                    address,
                                    address,
                                    address,
                                    number,
                                    number,
                                    number,
                                    number));
        }
    }

    /**
     * Writes a map.
     *
     * @param to {@link #BYTES}, aligned to {@link #ALIGNMENT}
     * @param address of the first element
     * @param axes two or three, the fastest first
     * @throws CudaException if the driver does not take it
     */
    static void write(MemorySegment to, long address, KernelArguments.Swizzle swizzle, KernelArguments.Axis... axes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment lengths = arena.allocate(ValueLayout.JAVA_LONG, MOST_INDICES);
            MemorySegment strides = arena.allocate(ValueLayout.JAVA_LONG, MOST_INDICES);
            MemorySegment box = arena.allocate(ValueLayout.JAVA_INT, MOST_INDICES);
            MemorySegment steps = arena.allocate(ValueLayout.JAVA_INT, MOST_INDICES);
            for (int i = 0; i < axes.length; i++) {
                lengths.setAtIndex(ValueLayout.JAVA_LONG, i, axes[i].length());
                if (i > 0) {
                    strides.setAtIndex(ValueLayout.JAVA_LONG, i - 1, axes[i].stride());
                } else if (axes[0].stride() != ELEMENT_BYTES) {
                    throw new IllegalArgumentException("the fastest index has a stride of %d bytes, expected %d"
                            .formatted(axes[0].stride(), ELEMENT_BYTES));
                }
                box.setAtIndex(ValueLayout.JAVA_INT, i, axes[i].box());
                steps.setAtIndex(ValueLayout.JAVA_INT, i, 1);
            }
            int result = (int) Once.ENCODE.invokeExact(
                    to,
                    TYPE_UINT16,
                    axes.length,
                    address,
                    lengths,
                    strides,
                    box,
                    steps,
                    NOT_INTERLEAVED,
                    swizzle.number(),
                    PROMOTE_TO_128_BYTES,
                    FILL_WITH_ZEROS);
            CudaException.check(result, "cuTensorMapEncodeTiled");
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("cuTensorMapEncodeTiled cannot be called", e);
        }
    }
}
