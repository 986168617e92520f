package dev.troupe.kernel.cuda;

import dev.troupe.kernel.NumericsId;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.cuda.driver.CudaStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A step's tokens in the memory of the device, by one copy: how many they are, their positions, where each one's block table starts,
 * and the block tables one behind the other. For the thread that owns the stream.
 */
public final class DeviceBatch implements AutoCloseable {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

    /** Ints before the positions: the count, and what keeps those aligned. */
    private static final int HEADER = 16;

    private static final int LEAST_TOKENS = 64;

    private static final int SPAN = NumericsId.SPAN;

    private final UploadBuffer buffer;
    private int capacity;
    private TokenBatch batch = new TokenBatch(new int[0], new int[0], new int[0], new int[0][]);
    private int bucket = 1;

    /** An empty batch. */
    public DeviceBatch(CudaStream stream) {
        buffer = new UploadBuffer(stream);
        load(batch, 1);
    }

    /**
     * Takes these tokens instead of those before, at the stream's turn. Addresses stay while the {@link #capacity} does and no memory is
     * given back, so while there are not more tokens or blocks than ever before.
     *
     * @param bucket rows that work is launched for, at least the tokens
     */
    public void load(TokenBatch next, int bucket) {
        requireBucket(next, bucket);
        while (capacity < next.tokens() || capacity < LEAST_TOKENS) {
            capacity = Math.max(LEAST_TOKENS, 2 * capacity);
        }
        int blocks = 0;
        for (int s = 0; s < next.sequences(); s++) {
            blocks = Math.addExact(blocks, next.blocks(s));
        }
        long bytes = 4L * (tables() + blocks);
        write(next, buffer.stage(bytes));
        buffer.upload(bytes);
        this.batch = next;
        this.bucket = bucket;
    }

    private static void requireBucket(TokenBatch batch, int bucket) {
        if (bucket < batch.tokens()) {
            throw new IllegalArgumentException(
                    "bucket = %d is less than the %d tokens".formatted(bucket, batch.tokens()));
        }
    }

    /** Launches work for another number of rows from now on, at least the tokens. */
    void launchFor(int rows) {
        requireBucket(batch, rows);
        bucket = rows;
    }

    private void write(TokenBatch next, MemorySegment ints) {
        ints.setAtIndex(INT, 0, next.tokens());
        int[] starts = new int[next.sequences()];
        int end = 0;
        for (int s = 0; s < starts.length; s++) {
            starts[s] = end;
            for (int b = 0; b < next.blocks(s); b++, end++) {
                ints.setAtIndex(INT, tables() + end, next.block(s, b, 1));
            }
        }
        for (int t = 0; t < next.tokens(); t++) {
            ints.setAtIndex(INT, HEADER + t, next.position(t));
            ints.setAtIndex(INT, HEADER + capacity + t, starts[next.sequence(t)]);
        }
    }

    private long tables() {
        return HEADER + 2L * capacity;
    }

    /** Tokens that there is room for, which says what lies where in the memory. */
    int capacity() {
        return capacity;
    }

    /** The tokens as the host knows them. */
    public TokenBatch host() {
        return batch;
    }

    /** How many there are, for operations on rows. */
    public StepRows rows() {
        return new StepRows(ints(0, 1), bucket);
    }

    /**
     * Spans of 128 positions that attention is launched for: enough for every token, and a power of two, so that noted work serves
     * longer sequences for a while.
     */
    public int spans() {
        int last = 0;
        for (int t = 0; t < batch.tokens(); t++) {
            last = Math.max(last, batch.position(t));
        }
        int spans = 1;
        while (spans <= last / SPAN) {
            spans *= 2;
        }
        return spans;
    }

    /** The position of each token. */
    MemorySegment positions() {
        return ints(HEADER, capacity);
    }

    /** Where each token's block table starts in {@link #blockTables}. */
    MemorySegment firstBlocks() {
        return ints(HEADER + (long) capacity, capacity);
    }

    /** KV blocks of the sequences. */
    MemorySegment blockTables() {
        MemorySegment memory = buffer.device();
        return memory.asSlice(Math.min(4 * tables(), memory.byteSize() - 4));
    }

    private MemorySegment ints(long from, long count) {
        return buffer.device().asSlice(4 * from, 4 * count);
    }

    /** Waits for the stream and gives the memory back. */
    @Override
    public void close() {
        buffer.close();
    }
}
