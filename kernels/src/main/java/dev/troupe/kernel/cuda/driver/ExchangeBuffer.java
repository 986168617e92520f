package dev.troupe.kernel.cuda.driver;

import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Floats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashSet;
import java.util.Set;

/**
 * A piece of {@link ExchangeMemory} and what orders those who write and read it: every writer comes after all who have read what was
 * there before. While it is free its memory owns it, then the rows that it holds.
 */
final class ExchangeBuffer {
    private final CudaDevice device;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final CudaEvent written;
    private final CudaEvent onHost;
    private final Set<ReadMark> readers = new HashSet<>();
    private MemorySegment pinned = MemorySegment.NULL;
    private boolean copiedToHost;
    private long bytes;

    ExchangeBuffer(CudaDevice device, long room) {
        this.device = device;
        this.memory = device.memory().allocate(arena, Use.WORKSPACE, room);
        this.written = new CudaEvent(device);
        this.onHost = new CudaEvent(device);
    }

    /** Bytes that fit. */
    long room() {
        return memory.byteSize();
    }

    /** Streams that have read what it holds. */
    int readers() {
        return readers.size();
    }

    /** Takes a copy at the stream's turn, and after everybody who has read what was there. */
    void write(CudaStream stream, MemorySegment from) {
        readers.forEach(reader -> reader.awaitOn(stream));
        stream.await(onHost);
        stream.await(written);
        readers.clear();
        copiedToHost = false;
        bytes = from.byteSize();
        stream.copy(from, memory.asSlice(0, bytes));
        stream.record(written);
    }

    /** Copies what it holds at the turn of a stream of any device, which reaches this one. */
    void copyTo(CudaStream stream, MemorySegment to) {
        stream.await(written);
        stream.copy(device, memory.asSlice(0, bytes), to);
        readers.add(stream.markRead());
    }

    /** The same for a device that does not reach this one, after {@link #copyToHost}. */
    void uploadTo(CudaStream stream, MemorySegment to) {
        stream.await(onHost);
        stream.upload(pinned.asSlice(0, bytes), to);
        readers.add(stream.markRead());
    }

    /** Copies what it holds to the host, unless that was done before. */
    void copyToHost(CudaStream stream) {
        if (copiedToHost) {
            return;
        }
        if (pinned.byteSize() == 0) {
            pinned = device.pinned(arena, memory.byteSize());
        }
        stream.await(written);
        stream.download(memory.asSlice(0, bytes), pinned.asSlice(0, bytes));
        stream.record(onHost);
        copiedToHost = true;
    }

    /** What it holds, after {@link #copyToHost}; waits for it. */
    Floats floats(int rows, int columns) {
        onHost.synchronize();
        return new Floats(rows, columns, pinned.asSlice(0, bytes).toArray(ValueLayout.JAVA_FLOAT));
    }

    /** @throws IllegalStateException if its device is closed */
    void requireOpen() {
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the rows have gone with %s, which is closed".formatted(device));
        }
    }

    /** Waits for those who write and read it, and frees it. */
    void close() {
        written.synchronize();
        onHost.synchronize();
        readers.forEach(ReadMark::synchronize);
        written.close();
        onHost.close();
        arena.close();
    }
}
