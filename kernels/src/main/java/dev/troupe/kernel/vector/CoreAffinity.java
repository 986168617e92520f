package dev.troupe.kernel.vector;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/** Keeps a thread on one core, where the operating system is Linux; does nothing elsewhere. */
final class CoreAffinity {
    /** Cores that the kernel's own mask has room for. */
    private static final int MOST_CORES = 1024;

    private static final Optional<MethodHandle> SET_AFFINITY = find();

    private CoreAffinity() {}

    @SuppressWarnings("restricted") // one function of the C library whose signature Linux fixes
    private static Optional<MethodHandle> find() {
        if (!System.getProperty("os.name", "").equals("Linux")) {
            return Optional.empty();
        }
        Linker linker = Linker.nativeLinker();
        FunctionDescriptor signature = FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);
        return linker.defaultLookup()
                .find("sched_setaffinity")
                .map(address -> linker.downcallHandle(address, signature));
    }

    /**
     * Keeps the calling thread on {@code core}, counted from 0 as the system does.
     *
     * @return false if it stays free: on another system, or because this process may not use that core
     */
    static boolean pin(int core) {
        if (SET_AFFINITY.isEmpty() || core < 0 || core >= MOST_CORES) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(MOST_CORES / Byte.SIZE, Long.BYTES);
            mask.set(ValueLayout.JAVA_BYTE, core / Byte.SIZE, (byte) (1 << core % Byte.SIZE));
            return (int) SET_AFFINITY.get().invokeExact(0, mask.byteSize(), mask) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException("keeping a thread on core %d failed".formatted(core), e);
        }
    }
}
