package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaEvent;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DeviceMemory.Use;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What the host writes for the device at every step: pinned memory, as much of the device, and the copy from one to the other. Both
 * grow with what is asked of them. For the thread that owns the stream.
 */
final class UploadBuffer implements AutoCloseable {
    private static final long LEAST_BYTES = 4096;

    private final CudaStream stream;
    private final CudaEvent copied;
    private Arena arena = Arena.ofShared();
    private MemorySegment host = MemorySegment.NULL;
    private MemorySegment device = MemorySegment.NULL;

    UploadBuffer(CudaStream stream) {
        this.stream = stream;
        this.copied = new CudaEvent(stream.device());
    }

    /**
     * Memory to be written before {@link #upload}, once the device has copied what was there.
     *
     * @param bytes at least; more than ever before moves the buffer, and work that was noted with the old address is of no use
     */
    MemorySegment stage(long bytes) {
        if (bytes > host.byteSize()) {
            grow(Math.max(LEAST_BYTES, Math.max(bytes, 2 * host.byteSize())));
        } else {
            copied.synchronize();
        }
        return host;
    }

    private void grow(long bytes) {
        stream.synchronize();
        arena.close();
        arena = Arena.ofShared();
        host = stream.device().pinned(arena, bytes);
        device = stream.device().memory().allocate(arena, Use.WORKSPACE, bytes);
    }

    /** Copies the first bytes, at the stream's turn. */
    void upload(long bytes) {
        stream.upload(host.asSlice(0, bytes), device.asSlice(0, bytes));
        stream.record(copied);
    }

    /** The device's memory, as long as what {@link #stage} gave. */
    MemorySegment device() {
        return device;
    }

    CudaStream stream() {
        return stream;
    }

    /** Waits for the stream and gives the memory back. */
    @Override
    public void close() {
        stream.end();
        copied.close();
        arena.close();
    }
}
