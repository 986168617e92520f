package dev.troupe.kvstore;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Copies of whole KV blocks, all layers of a store, to memory of the host and back, which kernels of a device do not wait for. On the host
 * blocks stand in the order in which they were asked for, {@link KvStore#blockBytes} each: for every layer the keys, then the values, as they
 * lie in the store, paddings included. A copy takes its turn: one out has what was computed before it was asked for, whatever is written
 * to the blocks later; one in comes after what used the blocks before, and is seen by everything that uses them later. Store and host memory
 * live until the copy is done. For the thread that owns the kernels.
 */
public interface BlockCopies {
    /** Copies of stores in the host's memory, which have been made when a call returns. */
    static BlockCopies onHost() {
        return HostBlockCopies.INSTANCE;
    }

    /**
     * Memory of the host that a device copies from and to by itself; slow to get, so to be kept. With other native memory a call may wait
     * for its copy.
     */
    default MemorySegment staging(Arena arena, long bytes) {
        return arena.allocate(bytes, 64);
    }

    /**
     * Copies blocks to the host.
     *
     * @param store in the memory of the kernels
     * @param blocks each once
     * @param host native memory, exactly as long; not to be read before the copy is done
     * @throws IllegalArgumentException if a block is not of the store or comes twice, or the memory does not fit or is read-only
     */
    BlockCopy copyOut(KvStore store, int[] blocks, MemorySegment host);

    /**
     * Copies blocks from the host.
     *
     * @param store in the memory of the kernels
     * @param blocks each once
     * @param host native memory, exactly as long; not to be changed before the copy is done
     * @throws IllegalArgumentException if a block is not of the store or comes twice, or the memory does not fit
     */
    BlockCopy copyIn(KvStore store, int[] blocks, MemorySegment host);
}
