package dev.troupe.kernel.cuda.driver;

import dev.troupe.tensor.DeviceMemory.Use;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import jcuda.driver.JCudaDriver;

/**
 * The memory of a device and what holds how much of it. A piece of it is a segment that lives as long as an arena; only the device may
 * read and write it, and the JVM crashes if Java tries. Thread-safe.
 */
public final class DeviceHeap {
    private final CudaDevice device;
    private final Map<Use, Long> held = new EnumMap<>(Use.class);

    private final AtomicLong releases = new AtomicLong();

    /** Start and end of every piece, ascending; replaced as a whole. */
    private volatile long[] pieces = {};

    DeviceHeap(CudaDevice device) {
        this.device = device;
    }

    /**
     * Takes memory, with what was in it before.
     *
     * @param arena ends its life, from any thread that may close it
     * @throws DeviceMemoryException if so much is not free
     */
    @SuppressWarnings("restricted") // the driver has said where the memory is and how long
    public MemorySegment allocate(Arena arena, Use use, long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("bytes = %d, expected at least 1".formatted(bytes));
        }
        long address = take(use, bytes);
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena, gone -> release(use, gone));
    }

    /**
     * Memory that is free, and all of it, whoever has it.
     *
     * @param free in bytes
     * @param total in bytes
     */
    public record Room(long free, long total) {}

    /**
     * How much is free now.
     *
     * @throws CudaException if the driver does not say, which it does not once work on the device has failed
     */
    public Room room() {
        device.makeCurrent();
        long[] free = new long[1];
        long[] total = new long[1];
        CudaException.check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo of " + device);
        return new Room(free[0], total[0]);
    }

    /**
     * Checks that memory is free before it is taken piece by piece.
     *
     * @param needed bytes for each purpose
     * @throws DeviceMemoryException if so much is not free
     */
    public synchronized void requireRoom(Map<Use, Long> needed) {
        Room room = room();
        if (needed.values().stream().mapToLong(Long::longValue).sum() > room.free()) {
            throw noRoom(lines(use -> needed.getOrDefault(use, 0L)), room);
        }
    }

    private DeviceMemoryException noRoom(String what, Room room) {
        return new DeviceMemoryException("%s has no room for %s: %s of %s are free, and this process holds %s"
                .formatted(device, what, megabytes(room.free()), megabytes(room.total()), holders()));
    }

    private synchronized long take(Use use, long bytes) {
        Room room = room();
        DeviceAddress address = new DeviceAddress();
        int result = bytes > room.free() ? CudaException.OUT_OF_MEMORY : JCudaDriver.cuMemAlloc(address, bytes);
        if (result == CudaException.OUT_OF_MEMORY) {
            throw noRoom(line(use, bytes), room);
        }
        if (result != 0) {
            throw CudaException.of(result, "cuMemAlloc of %d bytes".formatted(bytes));
        }
        long start = address.allocated();
        held.merge(use, bytes, Long::sum);
        add(start, start + bytes);
        return start;
    }

    private synchronized void release(Use use, MemorySegment memory) {
        device.makeCurrent();
        held.merge(use, -memory.byteSize(), Long::sum);
        releases.incrementAndGet();
        remove(memory.address());
        CudaException.checkRelease(JCudaDriver.cuMemFree(new DeviceAddress(memory.address())), "cuMemFree");
    }

    private void add(long start, long end) {
        long[] before = pieces;
        int at = -Arrays.binarySearch(before, start) - 1;
        long[] after = new long[before.length + 2];
        System.arraycopy(before, 0, after, 0, at);
        after[at] = start;
        after[at + 1] = end;
        System.arraycopy(before, at, after, at + 2, before.length - at);
        pieces = after;
    }

    private void remove(long start) {
        long[] before = pieces;
        int at = Arrays.binarySearch(before, start);
        long[] after = new long[before.length - 2];
        System.arraycopy(before, 0, after, 0, at);
        System.arraycopy(before, at + 2, after, at, after.length - at);
        pieces = after;
    }

    /** How many pieces were given back; while it stays the same, no address has come to mean something else. */
    public long releases() {
        return releases.get();
    }

    /** Bytes in use for a purpose. */
    public synchronized long held(Use use) {
        return held.getOrDefault(use, 0L);
    }

    /** Bytes in use, by purpose, for people. */
    public synchronized String holders() {
        return lines(this::held);
    }

    private static String lines(ToLongFunction<Use> bytes) {
        return Arrays.stream(Use.values())
                .map(use -> line(use, bytes.applyAsLong(use)))
                .collect(Collectors.joining(", "));
    }

    /** For people: {@code weights 1,024 MB}. */
    private static String line(Use use, long bytes) {
        return "%s %s".formatted(use.label(), megabytes(bytes));
    }

    /** Bytes for people; below a megabyte in bytes, so that nothing reads as 0. */
    private static String megabytes(long bytes) {
        return bytes < 1_000_000
                ? String.format(Locale.ROOT, "%,d bytes", bytes)
                : String.format(Locale.ROOT, "%,d MB", bytes / 1_000_000);
    }

    /** Makes its device the one that this thread's calls are about. */
    void makeCurrent() {
        device.makeCurrent();
    }

    /**
     * The address of memory that a kernel may use.
     *
     * @throws IllegalArgumentException if it is not of this device
     */
    long requireAddress(MemorySegment memory) {
        long address = memory.address();
        long[] sorted = pieces;
        int low = 0;
        int high = sorted.length / 2;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (sorted[2 * middle] <= address) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low == 0 || memory.byteSize() > sorted[2 * low - 1] - address) {
            throw new IllegalArgumentException("%s does not lie in the memory of %s".formatted(memory, device));
        }
        return address;
    }
}
