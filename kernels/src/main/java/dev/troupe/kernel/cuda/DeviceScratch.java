package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DeviceMemory.Use;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Memory of a device for what one operation leaves to the next; replaced by more when it is too small, which moves it. For the thread
 * that owns the stream.
 */
final class DeviceScratch implements AutoCloseable {
    private final CudaStream stream;
    private Arena arena = Arena.ofShared();
    private MemorySegment memory = MemorySegment.NULL;

    DeviceScratch(CudaStream stream) {
        this.stream = stream;
    }

    /** At least {@code bytes}, whose contents are of no use. Waits for the stream before it gives smaller memory back. */
    MemorySegment atLeast(long bytes) {
        if (memory.byteSize() < bytes) {
            close();
            arena = Arena.ofShared();
            memory = MemorySegment.NULL;
            memory = stream.device().memory().allocate(arena, Use.WORKSPACE, bytes);
        }
        return memory;
    }

    @Override
    public void close() {
        stream.end();
        arena.close();
    }
}
