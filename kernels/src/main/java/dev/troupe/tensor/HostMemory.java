package dev.troupe.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory of the host, in large pages where there are such. */
enum HostMemory implements DeviceMemory {
    INSTANCE;

    private static final long ALIGNMENT = 64;

    @Override
    public boolean isHost() {
        return true;
    }

    @Override
    public MemorySegment allocate(Arena arena, long bytes, Use use) {
        return LargePages.allocate(arena, bytes, ALIGNMENT);
    }

    @Override
    public void write(MemorySegment device, MemorySegment host) {
        MemorySegment.copy(host, 0, device, 0, host.byteSize());
    }

    @Override
    public void read(MemorySegment device, MemorySegment host) {
        MemorySegment.copy(device, 0, host, 0, host.byteSize());
    }
}
