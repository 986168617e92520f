package dev.troupe.kernel.cuda.driver;

import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Memory of a device for rows that ranks leave to each other: who publishes them goes on at once, who reads them copies them at its own
 * turn, and the memory is used again after the last reader. Messages with rows may be lost, so memory whose rows nobody refers to any
 * more is used again too. It belongs to the device: what was published outlives its rank. Thread-safe.
 */
public final class ExchangeMemory {
    private static final long LEAST_BYTES = 64 << 10;

    private final CudaDevice device;
    private final List<ExchangeBuffer> free = new ArrayList<>();
    private final List<Lent> lent = new ArrayList<>();
    private @Nullable CudaStream toHost;

    ExchangeMemory(CudaDevice device) {
        this.device = device;
    }

    CudaDevice device() {
        return device;
    }

    /** A buffer that readers may come for, as long as somebody refers to its rows. */
    private record Lent(WeakReference<PublishedRows> rows, ExchangeBuffer buffer) {}

    /**
     * A copy of f32 rows as they are at a stream's turn.
     *
     * @param stream of this device
     * @param from {@code [rows, columns]}, at least one value
     * @throws DeviceMemoryException if there is no memory for the copy
     */
    public synchronized PublishedRows publish(CudaStream stream, MemorySegment from, int rows, int columns) {
        ExchangeBuffer buffer = take(from.byteSize());
        buffer.write(stream, from);
        free.remove(buffer);
        PublishedRows published = new PublishedRows(this, buffer, rows, columns);
        lent.add(new Lent(new WeakReference<>(published), buffer));
        return published;
    }

    /** A free buffer, which stays in the list. */
    private ExchangeBuffer take(long bytes) {
        Optional<ExchangeBuffer> found = smallest(bytes);
        if (found.isEmpty()) {
            reclaim();
            found = smallest(bytes);
        }
        return found.orElseGet(() -> {
            long room = Math.max(LEAST_BYTES, Long.highestOneBit(bytes - 1) << 1);
            ExchangeBuffer buffer = new ExchangeBuffer(device, room);
            free.add(buffer);
            return buffer;
        });
    }

    private Optional<ExchangeBuffer> smallest(long bytes) {
        return free.stream()
                .filter(buffer -> buffer.room() >= bytes)
                .min(Comparator.comparingLong(ExchangeBuffer::room));
    }

    private void reclaim() {
        for (Iterator<Lent> each = lent.iterator(); each.hasNext(); ) {
            Lent one = each.next();
            if (one.rows().refersTo(null)) {
                each.remove();
                free.add(one.buffer());
            }
        }
    }

    /** All readers have come. */
    synchronized void giveBack(ExchangeBuffer buffer) {
        if (lent.removeIf(one -> one.buffer() == buffer)) {
            free.add(buffer);
        }
    }

    /** Has what a buffer holds copied to its memory of the host, once. */
    synchronized void copyToHost(ExchangeBuffer buffer) {
        if (toHost == null) {
            toHost = device.stream();
        }
        buffer.copyToHost(toHost);
    }

    /** Waits for those who read, and frees everything: what nobody has read by now cannot be read any more. */
    synchronized void close() {
        if (toHost != null) {
            toHost.synchronize();
        }
        lent.forEach(one -> free.add(one.buffer()));
        lent.clear();
        free.forEach(ExchangeBuffer::close);
        free.clear();
        if (toHost != null) {
            toHost.close();
            toHost = null;
        }
    }
}
