package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;

/**
 * Counts of rows in the memory of the device, which reads them there: one place for every count, and one for work that is repeated,
 * which must find its count where it was. For the thread that owns the stream.
 */
final class RowCounts {
    /** Rows of one operation at most. */
    private static final int MOST_ROWS = 65_535;

    private final CudaStream stream;

    /** 0, 1, 2 and so on. */
    private final MemorySegment numbers;

    private final MemorySegment place;

    /** What the place holds. */
    private int placed;

    /** Rows of the work that is repeated now, 0 while there is none. */
    private int repeated;

    /** @param arena ends the life of the memory */
    RowCounts(CudaStream stream, DeviceMemory memory, Arena arena) {
        this.stream = stream;
        this.numbers = memory.allocate(arena, 4L * (MOST_ROWS + 1), DeviceMemory.Use.WORKSPACE);
        this.place = memory.allocate(arena, 4, DeviceMemory.Use.WORKSPACE);
        memory.write(
                numbers,
                MemorySegment.ofArray(IntStream.rangeClosed(0, MOST_ROWS).toArray()));
    }

    /**
     * For an operation on so many rows.
     *
     * @throws IllegalStateException if work that is repeated has another count
     */
    StepRows of(int count) {
        if (repeated == 0) {
            return new StepRows(number(count), Math.max(1, count));
        }
        if (count != repeated) {
            throw new IllegalStateException(
                    "work that is repeated for %d rows has an operation on %d".formatted(repeated, count));
        }
        return new StepRows(place, bucket(count));
    }

    /** Until {@link #end}, operations are on so many rows, at least 1, and launched for their {@link #bucket}. */
    void repeat(int count) {
        if (placed != count) {
            stream.copy(number(count), place);
            placed = count;
        }
        repeated = count;
    }

    void end() {
        repeated = 0;
    }

    private MemorySegment number(int count) {
        return numbers.asSlice(4L * count, 4);
    }

    /** The least power of two that is not less. */
    static int bucket(int count) {
        return count <= 1 ? 1 : 2 * Integer.highestOneBit(count - 1);
    }
}
