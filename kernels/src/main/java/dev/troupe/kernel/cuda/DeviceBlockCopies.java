package dev.troupe.kernel.cuda;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.cuda.driver.CudaEvent;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.MemoryRows;
import dev.troupe.kvstore.BlockCopies;
import dev.troupe.kvstore.BlockCopy;
import dev.troupe.kvstore.KvStore;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Copies of blocks on a stream of their own. They wait for what the kernels' stream was asked before; that stream waits only for
 * copies whose blocks it is about to use, so kernels go on beside all others. A block is two calls of the driver, the keys of all layers and
 * the values of all layers, whatever its neighbours are. A kernel that gathers blocks would save little of that, and would take units and
 * memory from those that compute.
 */
final class DeviceBlockCopies implements BlockCopies, AutoCloseable {
    private final CudaStream compute;
    private final CudaStream stream;
    private final CudaEvent asked;

    /** Copies that were not known to be done when the last was asked for, the first first: in that order they are done. */
    private final Deque<Copy> open = new ArrayDeque<>();

    private final Deque<CudaEvent> idle = new ArrayDeque<>();

    /** The batch that was ordered last, and after which copy. */
    private @Nullable TokenBatch ordered;

    private @Nullable Copy orderedAfter;

    /** @param compute the stream of the kernels, which outlives this */
    DeviceBlockCopies(CudaStream compute) {
        this.compute = compute;
        this.stream = compute.device().stream();
        this.asked = new CudaEvent(compute.device());
    }

    @Override
    public MemorySegment staging(Arena arena, long bytes) {
        return compute.device().pinned(arena, bytes);
    }

    @Override
    public BlockCopy copyOut(KvStore store, int[] blocks, MemorySegment host) {
        return copy(store, blocks, host, false, stream::download);
    }

    @Override
    public BlockCopy copyIn(KvStore store, int[] blocks, MemorySegment host) {
        return copy(store, blocks, host, true, (inStore, outside) -> stream.upload(outside, inStore));
    }

    /** One way or the other. */
    @FunctionalInterface
    private interface Direction {
        void copy(MemoryRows inStore, MemoryRows outside);
    }

    private Copy copy(KvStore store, int[] blocks, MemorySegment host, boolean in, Direction direction) {
        BitSet ids = store.requireBlocks(blocks, host, in);
        compute.requireHost("copying blocks");
        retire();
        compute.record(asked);
        stream.await(asked);
        long layerBytes = store.keyBlockBytes() + store.valueBlockBytes();
        for (int i = 0; i < blocks.length; i++) {
            MemorySegment block = host.asSlice(i * store.blockBytes(), store.blockBytes());
            MemoryRows keys = rows(store, store.keysOfBlock(blocks[i]), store.keyBlockBytes(), store.keyLayerStride());
            direction.copy(keys, rows(store, block, keys.bytes(), layerBytes));
            MemoryRows values =
                    rows(store, store.valuesOfBlock(blocks[i]), store.valueBlockBytes(), store.valueLayerStride());
            direction.copy(values, rows(store, block.asSlice(keys.bytes()), values.bytes(), layerBytes));
        }
        CudaEvent done = idle.isEmpty() ? new CudaEvent(stream.device()) : idle.pop();
        stream.record(done);
        Copy copy = new Copy(done, ids, in, store.blockSize());
        open.add(copy);
        return copy;
    }

    /** A row for every layer, from the beginning of memory. */
    private static MemoryRows rows(KvStore store, MemorySegment memory, long bytes, long stride) {
        return new MemoryRows(memory.asSlice(0, (store.layers() - 1) * stride + bytes), store.layers(), bytes, stride);
    }

    /** Has the kernels wait for copies into blocks that a batch has in its tables, and copies out of those that it writes. */
    void order(TokenBatch batch) {
        if (open.isEmpty() || (batch == ordered && open.getLast() == orderedAfter)) {
            return;
        }
        compute.requireHost("waiting for copies of blocks");
        Copy last = null;
        for (Copy copy : open) {
            if (!copy.ordered && copy.concerns(batch)) {
                last = copy;
            }
        }
        if (last != null) {
            compute.await(last.event);
            // One stream makes them in order: who has waited for one has waited for those before.
            for (Copy copy : open) {
                copy.ordered = true;
                if (copy == last) {
                    break;
                }
            }
        }
        ordered = batch;
        orderedAfter = open.getLast();
    }

    private void retire() {
        while (!open.isEmpty() && open.getFirst().isDone()) {
            idle.push(open.removeFirst().event);
        }
    }

    @Override
    public void close() {
        stream.end();
        for (Copy copy : open) {
            copy.closed = true;
            copy.event.close();
        }
        idle.forEach(CudaEvent::close);
        asked.close();
        stream.close();
    }

    /** A copy that was added to the stream. */
    private static final class Copy implements BlockCopy {
        private final CudaEvent event;
        private final BitSet blocks;
        private final boolean in;
        private final int blockSize;

        /** Whether the kernels' stream has waited for it. */
        private boolean ordered;

        private boolean done;
        private boolean closed;

        Copy(CudaEvent event, BitSet blocks, boolean in, int blockSize) {
            this.event = event;
            this.blocks = blocks;
            this.in = in;
            this.blockSize = blockSize;
        }

        boolean concerns(TokenBatch batch) {
            return in ? isRead(batch) : isWritten(batch);
        }

        private boolean isRead(TokenBatch batch) {
            for (int s = 0; s < batch.sequences(); s++) {
                for (int i = 0; i < batch.blocks(s); i++) {
                    if (contains(batch.block(s, i, 1))) {
                        return true;
                    }
                }
            }
            return false;
        }

        private boolean isWritten(TokenBatch batch) {
            for (int t = 0; t < batch.tokens(); t++) {
                int s = batch.sequence(t);
                int position = batch.position(t);
                if (position / blockSize < batch.blocks(s) && contains(batch.block(s, position, blockSize))) {
                    return true;
                }
            }
            return false;
        }

        /** Whatever a batch has: the operation that uses it says what is wrong. */
        private boolean contains(int block) {
            return block >= 0 && blocks.get(block);
        }

        @Override
        public boolean isDone() {
            done = done || (!closed && event.isDone());
            return done;
        }

        @Override
        public void await() {
            if (closed && !done) {
                throw new IllegalStateException("the kernels were closed before the copy of blocks was waited for");
            }
            if (!done) {
                event.synchronize();
                done = true;
            }
        }
    }
}
