package dev.troupe.kernel.cuda.driver;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Rows in the {@link ExchangeMemory} of a device, which nobody changes before all readers have come. Thread-safe. */
public final class PublishedRows implements Rows {
    private final ExchangeMemory home;
    private final ExchangeBuffer buffer;
    private final int rows;
    private final int columns;
    private int readers = Integer.MAX_VALUE;
    private int heapReaders;
    private @Nullable Floats floats;
    private boolean givenBack;

    PublishedRows(ExchangeMemory home, ExchangeBuffer buffer, int rows, int columns) {
        this.home = home;
        this.buffer = buffer;
        this.rows = rows;
        this.columns = columns;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    @Override
    public synchronized void expectReaders(int count) {
        readers = count;
        giveBackAfterTheLast();
    }

    /**
     * Copies them at the turn of a stream of any device, and waits for nothing.
     *
     * @param to memory of the stream's device, as long
     * @return whether they were there; if not, all readers that were expected have come, some by way of the heap, where they are
     * @throws IllegalStateException if more come than were expected
     */
    public synchronized boolean copyTo(CudaStream stream, MemorySegment to) {
        if (givenBack) {
            if (floats == null) {
                throw tooMany();
            }
            return false;
        }
        buffer.requireOpen();
        if (stream.device().reaches(home.device())) {
            buffer.copyTo(stream, to);
        } else {
            home.copyToHost(buffer);
            buffer.uploadTo(stream, to);
        }
        giveBackAfterTheLast();
        return true;
    }

    /**
     * A copy on the heap, which is made once; waits for the device.
     *
     * @throws IllegalStateException if more come than were expected
     */
    @Override
    public synchronized Floats floats() {
        if (floats == null) {
            if (givenBack) {
                throw tooMany();
            }
            buffer.requireOpen();
            home.copyToHost(buffer);
            floats = buffer.floats(rows, columns);
        }
        heapReaders++;
        giveBackAfterTheLast();
        return floats;
    }

    private void giveBackAfterTheLast() {
        if (!givenBack && buffer.readers() + heapReaders >= readers) {
            givenBack = true;
            home.giveBack(buffer);
        }
    }

    private IllegalStateException tooMany() {
        return new IllegalStateException("%s has more readers than the %d that were expected".formatted(this, readers));
    }

    @Override
    public String toString() {
        return "f32[%d, %d]".formatted(rows, columns);
    }
}
