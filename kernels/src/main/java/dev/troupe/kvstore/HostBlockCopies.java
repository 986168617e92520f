package dev.troupe.kvstore;

import java.lang.foreign.MemorySegment;

/** Copies of stores in the host's memory. */
enum HostBlockCopies implements BlockCopies {
    INSTANCE;

    /** Copies are made at once. */
    private enum Done implements BlockCopy {
        DONE;

        @Override
        public boolean isDone() {
            return true;
        }

        @Override
        public void await() {}
    }

    @Override
    public BlockCopy copyOut(KvStore store, int[] blocks, MemorySegment host) {
        return copy(store, blocks, host, false, (inStore, outside) -> outside.copyFrom(inStore));
    }

    @Override
    public BlockCopy copyIn(KvStore store, int[] blocks, MemorySegment host) {
        return copy(store, blocks, host, true, MemorySegment::copyFrom);
    }

    /** One way or the other. */
    @FunctionalInterface
    private interface Direction {
        MemorySegment copy(MemorySegment inStore, MemorySegment outside);
    }

    private static BlockCopy copy(KvStore store, int[] blocks, MemorySegment host, boolean in, Direction direction) {
        store.requireBlocks(blocks, host, in);
        long keyBytes = store.keyBlockBytes();
        long valueBytes = store.valueBlockBytes();
        long at = 0;
        for (int block : blocks) {
            for (int layer = 0; layer < store.layers(); layer++) {
                direction.copy(store.keys(layer).asSlice(block * keyBytes, keyBytes), host.asSlice(at, keyBytes));
                at += keyBytes;
                direction.copy(
                        store.values(layer).asSlice(block * valueBytes, valueBytes), host.asSlice(at, valueBytes));
                at += valueBytes;
            }
        }
        return Done.DONE;
    }
}
