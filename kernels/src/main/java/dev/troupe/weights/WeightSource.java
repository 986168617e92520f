package dev.troupe.weights;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/**
 * Where weights come from: a table of tensors and, for each, its bytes row after row. Safe for use by several threads.
 *
 * <p>Close it after the last shard that was loaded from it: the first stage reads its embedding rows from here.
 */
public interface WeightSource extends AutoCloseable {

    /** What it is, for messages: a file, a directory, a named synthetic shape. */
    String description();

    /** The table, ascending by name. */
    Collection<WeightTensor> tensors();

    /** The tensor of that name, or null. */
    @Nullable
    WeightTensor find(String name);

    /**
     * The tensor of that name.
     *
     * @throws WeightFormatException if there is none
     */
    default WeightTensor require(String name) throws WeightFormatException {
        WeightTensor tensor = find(name);
        if (tensor == null) {
            throw new WeightFormatException("%s has no tensor %s among its %d; the model needs it"
                    .formatted(
                            description(),
                            WeightFormatException.shown(name),
                            tensors().size()));
        }
        return tensor;
    }

    /**
     * Bytes of rows {@code [fromRow, toRow)} of a tensor of this source: a view where the rows exist in memory or in a
     * mapped file, else made in {@code arena}. Never written to by the caller.
     *
     * @throws IndexOutOfBoundsException if the rows are out of range
     */
    MemorySegment rows(WeightTensor tensor, long fromRow, long toRow, Arena arena);

    /** All bytes of a tensor, valid until {@link #close()}. */
    MemorySegment bytes(WeightTensor tensor);

    @Override
    void close();
}
