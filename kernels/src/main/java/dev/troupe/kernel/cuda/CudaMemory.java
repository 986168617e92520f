package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaEvent;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.PublishedRows;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Rows;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * The memory of a GPU as models and caches use it: copies from and to the host take their turn in the kernels' stream, and have been
 * made when a call returns. Thread-safe, where nobody else uses the stream at the same time.
 */
public final class CudaMemory implements DeviceMemory, AutoCloseable {
    /** Of each of two buffers: one is filled while the device copies from the other. */
    private static final long STAGING_BYTES = 4 << 20;

    private final CudaStream stream;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] staging = new MemorySegment[2];
    private final CudaEvent[] copied = new CudaEvent[2];

    /** Memory of the stream's device. The stream lives longer than this. */
    public CudaMemory(CudaStream stream) {
        this.stream = stream;
        for (int i = 0; i < staging.length; i++) {
            staging[i] = stream.device().pinned(arena, STAGING_BYTES);
            copied[i] = new CudaEvent(stream.device());
        }
    }

    @Override
    public boolean isHost() {
        return false;
    }

    @Override
    public synchronized MemorySegment allocate(Arena life, long bytes, Use use) {
        if (bytes == 0) {
            return MemorySegment.NULL; // of a tensor without rows
        }
        stream.requireHost("taking memory");
        MemorySegment memory = stream.device().memory().allocate(life, use, bytes);
        stream.fill(memory, (byte) 0);
        stream.synchronize();
        return memory;
    }

    @Override
    public void requireRoom(Map<Use, Long> needed) {
        stream.device().memory().requireRoom(needed);
    }

    @Override
    public synchronized void write(MemorySegment device, MemorySegment host) {
        stream.requireHost("writing memory");
        int buffer = 0;
        for (long at = 0; at < host.byteSize(); at += STAGING_BYTES) {
            long bytes = Math.min(STAGING_BYTES, host.byteSize() - at);
            if (at >= 2 * STAGING_BYTES) {
                copied[buffer].synchronize();
            }
            MemorySegment piece = staging[buffer].asSlice(0, bytes).copyFrom(host.asSlice(at, bytes));
            stream.upload(piece, device.asSlice(at, bytes));
            stream.record(copied[buffer]);
            buffer = 1 - buffer;
        }
        stream.synchronize();
    }

    @Override
    public synchronized void read(MemorySegment device, MemorySegment host) {
        stream.requireHost("reading memory");
        for (long at = 0; at < host.byteSize(); at += STAGING_BYTES) {
            long bytes = Math.min(STAGING_BYTES, host.byteSize() - at);
            MemorySegment piece = staging[0].asSlice(0, bytes);
            stream.download(device.asSlice(at, bytes), piece);
            stream.synchronize();
            host.asSlice(at, bytes).copyFrom(piece);
        }
    }

    @Override
    public synchronized Rows publish(Tensor tensor, int rows) {
        tensor.requireRows(rows, tensor.columns());
        if (rows == 0) {
            return DeviceMemory.super.publish(tensor, rows);
        }
        stream.requireHost("publishing rows");
        return stream.device().exchange().publish(stream, first(tensor, rows), rows, tensor.columns());
    }

    @Override
    public synchronized void write(Tensor tensor, Rows source) {
        tensor.requireRows(source.rows(), source.columns());
        stream.requireHost("writing rows");
        if (!(source instanceof PublishedRows there) || !there.copyTo(stream, first(tensor, source.rows()))) {
            DeviceMemory.super.write(tensor, source);
        }
    }

    private static MemorySegment first(Tensor tensor, int rows) {
        return tensor.memory().asSlice(0, tensor.type().rowBytes(tensor.columns()) * rows);
    }

    @Override
    public void close() {
        for (CudaEvent event : copied) {
            event.close();
        }
        arena.close();
    }
}
