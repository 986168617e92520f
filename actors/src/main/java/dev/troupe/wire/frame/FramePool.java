package dev.troupe.wire.frame;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;

/**
 * Direct buffers for frames, of a few sizes, used again and again. Thread-safe. It keeps a bounded number; how many are
 * in use is bounded by the queues that they wait in.
 */
public final class FramePool {
    private static final int SMALLEST = 16 * 1024;
    private static final int NEXT = 4;
    private static final int KEPT_BYTES = 8 * 1024 * 1024;

    private final List<Size> sizes = new ArrayList<>();

    /** Free buffers of one capacity. */
    private record Size(int capacity, ArrayBlockingQueue<ByteBuffer> free) {
        Size(int capacity) {
            this(capacity, new ArrayBlockingQueue<>(Math.max(1, KEPT_BYTES / capacity)));
        }
    }

    /** Lends buffers of up to {@code longest} bytes. */
    public FramePool(int longest) {
        for (int capacity = SMALLEST; capacity < longest; capacity *= NEXT) {
            sizes.add(new Size(capacity));
        }
        sizes.add(new Size(longest));
    }

    /**
     * An empty little-endian buffer, its limit at {@code bytes}.
     *
     * @throws IllegalArgumentException if {@code bytes} is more than the largest frame
     */
    public ByteBuffer take(int bytes) {
        for (Size size : sizes) {
            if (bytes <= size.capacity()) {
                ByteBuffer free = size.free().poll();
                if (free == null) {
                    free = ByteBuffer.allocateDirect(size.capacity()).order(ByteOrder.LITTLE_ENDIAN);
                }
                return free.clear().limit(bytes);
            }
        }
        throw new IllegalArgumentException("%d bytes, a frame has at most %d"
                .formatted(bytes, sizes.getLast().capacity()));
    }

    /** Gives back a buffer of {@link #take}; nobody may use it any more. */
    public void giveBack(ByteBuffer buffer) {
        for (Size size : sizes) {
            if (buffer.capacity() == size.capacity()) {
                boolean kept = size.free().offer(buffer);
                // Where the pool is full, the garbage collector has it.
                assert kept || size.free().remainingCapacity() == 0;
                return;
            }
        }
    }
}
