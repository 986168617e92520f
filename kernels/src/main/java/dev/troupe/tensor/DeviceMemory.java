package dev.troupe.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * The memory that the kernels of one device compute in. What it allocates has an address, a size and a life like any memory,
 * but only {@link #host} may be looked into: everywhere else the host reads and writes through this interface alone.
 */
public interface DeviceMemory {
    /** Memory of the host, where the CPU's kernels run. */
    static DeviceMemory host() {
        return HostMemory.INSTANCE;
    }

    /** What memory is for: a device that runs out of it says how much each use holds. */
    enum Use {
        WEIGHTS("weights"),
        KEYS_AND_VALUES("KV"),
        WORKSPACE("workspace");

        private final String label;

        Use(String label) {
            this.label = label;
        }

        /** A word for people. */
        public String label() {
            return label;
        }
    }

    /** Whether the host may read and write its addresses. */
    boolean isHost();

    /**
     * Memory of {@code bytes} zeros, aligned to 64 bytes, that lives as long as {@code arena}.
     *
     * @throws RuntimeException if a device has no room, with what its memory holds
     * @throws OutOfMemoryError if the host has no room
     */
    MemorySegment allocate(Arena arena, long bytes, Use use);

    /**
     * Checks that memory is free before it is taken piece by piece; the host's is not looked at.
     *
     * @param needed bytes for each purpose
     * @throws RuntimeException if a device has not so much left, with the numbers
     */
    default void requireRoom(Map<Use, Long> needed) {}

    /** Copies all of {@code host} to the beginning of {@code device}; the host memory may be changed as soon as it returns. */
    void write(MemorySegment device, MemorySegment host);

    /** Fills {@code host} from the beginning of {@code device}, after everything that was asked of its kernels before. */
    void read(MemorySegment device, MemorySegment host);

    /** A new zeroed f32 tensor {@code [rows, columns]} for a workspace. */
    default Tensor floats(Arena arena, int rows, int columns) {
        return new Tensor(
                DType.F32, rows, columns, allocate(arena, Math.multiplyExact(4L * columns, rows), Use.WORKSPACE));
    }

    /** Overwrites the first rows of an f32 tensor, at the turn of its kernels. */
    default void write(Tensor tensor, Rows source) {
        tensor.requireRows(source.rows(), source.columns());
        write(tensor.memory(), source.floats().memory());
    }

    /** Copies the first {@code rows} rows of an f32 tensor to the heap. */
    default Floats read(Tensor tensor, int rows) {
        tensor.requireRows(rows, tensor.columns());
        float[] values = new float[Math.multiplyExact(rows, tensor.columns())];
        read(tensor.memory(), MemorySegment.ofArray(values));
        return new Floats(rows, tensor.columns(), values);
    }

    /** A copy of the first {@code rows} rows of an f32 tensor for other ranks, which stays on the device where it can. */
    default Rows publish(Tensor tensor, int rows) {
        return read(tensor, rows);
    }

    /** A host tensor in this memory: itself where that is the host's, else a copy that lives as long as {@code arena}. */
    default Tensor place(Arena arena, Tensor host) {
        return isHost() ? host : new Tensor(host.type(), host.rows(), host.columns(), place(arena, host.memory()));
    }

    /** Weights of the host in this memory: themselves where that is the host's, else a copy that lives as long as {@code arena}. */
    default MemorySegment place(Arena arena, MemorySegment host) {
        if (isHost()) {
            return host;
        }
        MemorySegment placed = allocate(arena, host.byteSize(), Use.WEIGHTS);
        write(placed, host);
        return placed;
    }
}
