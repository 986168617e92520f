package dev.troupe.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Large zeroed off-heap memory in pages of 2 MiB where the operating system has them (Linux, unless they are switched off
 * there), so that a pass over gigabytes misses the translation buffer less: reading weights becomes a few to twenty per
 * cent faster. The pages must be asked for before the memory is touched, which {@link Arena#allocate} does first.
 */
public final class LargePages {
    private static final Logger LOG = LoggerFactory.getLogger(LargePages.class);
    private static final long PAGE = 2 << 20;
    private static final int PROT_READ_WRITE = 1 | 2;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20;
    private static final int MADV_HUGEPAGE = 14;
    private static final Optional<Calls> CALLS = Calls.find();

    private LargePages() {}

    /**
     * Memory of {@code bytes} zeros that lives as long as {@code arena}. Less than a page, or where the system has no such
     * pages: what {@link Arena#allocate(long, long)} gives.
     *
     * @param alignment a power of two of at most 2 MiB
     */
    public static MemorySegment allocate(Arena arena, long bytes, long alignment) {
        if (bytes < PAGE || alignment > PAGE || CALLS.isEmpty()) {
            return arena.allocate(bytes, alignment);
        }
        return CALLS.get().map(arena, bytes).orElseGet(() -> arena.allocate(bytes, alignment));
    }

    /** What it takes of the C library. */
    private record Calls(MethodHandle mmap, MethodHandle madvise, MethodHandle munmap) {
        @SuppressWarnings(
                "restricted") // three functions of the C library whose signatures are fixed by POSIX and Linux
        static Optional<Calls> find() {
            if (!System.getProperty("os.name", "").equals("Linux")) {
                return Optional.empty();
            }
            Linker linker = Linker.nativeLinker();
            SymbolLookup library = linker.defaultLookup();
            var pointer = ValueLayout.ADDRESS;
            var size = ValueLayout.JAVA_LONG;
            var number = ValueLayout.JAVA_INT;
            FunctionDescriptor mmap =
                    FunctionDescriptor.of(pointer, pointer, size, number, number, number, ValueLayout.JAVA_LONG);
            return library.find("mmap")
                    .flatMap(map -> library.find("madvise")
                            .flatMap(advise -> library.find("munmap")
                                    .map(unmap -> new Calls(
                                            linker.downcallHandle(map, mmap),
                                            linker.downcallHandle(
                                                    advise, FunctionDescriptor.of(number, pointer, size, number)),
                                            linker.downcallHandle(
                                                    unmap, FunctionDescriptor.of(number, pointer, size))))));
        }

        /** Empty if the system gives no memory. */
        @SuppressWarnings("restricted") // the segment is exactly what mmap has given, and ends with its arena
        Optional<MemorySegment> map(Arena arena, long bytes) {
            long mapped = Math.addExact(bytes, PAGE);
            try {
                MemorySegment start = (MemorySegment)
                        mmap.invokeExact(MemorySegment.NULL, mapped, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
                if (start.address() == -1) {
                    return Optional.empty();
                }
                long first = (start.address() + PAGE - 1) / PAGE * PAGE;
                int refused =
                        (int) madvise.invokeExact(MemorySegment.ofAddress(first), bytes / PAGE * PAGE, MADV_HUGEPAGE);
                if (refused != 0) {
                    LOG.debug("the kernel gives no large pages; {} bytes lie in small ones", bytes);
                }
                return Optional.of(MemorySegment.ofAddress(first)
                        .reinterpret(bytes, arena, memory -> unmap(start.address(), mapped)));
            } catch (Throwable e) {
                throw new IllegalStateException("mapping %d bytes of memory failed".formatted(bytes), e);
            }
        }

        private void unmap(long start, long bytes) {
            try {
                int failed = (int) munmap.invokeExact(MemorySegment.ofAddress(start), bytes);
                if (failed != 0) {
                    LOG.warn("{} bytes of memory at {} could not be given back", bytes, start);
                }
            } catch (Throwable e) {
                throw new IllegalStateException("unmapping %d bytes of memory failed".formatted(bytes), e);
            }
        }
    }
}
