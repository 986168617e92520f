package dev.troupe.kernel;

import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory of the host that passes for a device's, and counts what is written to it. */
public final class FarMemory implements DeviceMemory {
    private long largest;
    private long written;

    @Override
    public boolean isHost() {
        return false;
    }

    @Override
    public MemorySegment allocate(Arena arena, long bytes, Use use) {
        return arena.allocate(bytes, 64);
    }

    @Override
    public synchronized void write(MemorySegment device, MemorySegment host) {
        device.asSlice(0, host.byteSize()).copyFrom(host);
        largest = Math.max(largest, host.byteSize());
        written += host.byteSize();
    }

    @Override
    public void read(MemorySegment device, MemorySegment host) {
        host.copyFrom(device.asSlice(0, host.byteSize()));
    }

    /** Bytes of the largest write. */
    public synchronized long largest() {
        return largest;
    }

    /** Bytes of all writes. */
    public synchronized long written() {
        return written;
    }
}
