package dev.troupe.weights;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/**
 * Where weights come from: a table of tensors and, for each, its bytes row after row. Safe for use by several threads.
 *
 * <p>What {@link #rows} gives stays valid as long as something refers to it and the arena is open, also after
 * {@link #close()}: a shard that was loaded does not depend on the source any more.
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

    /** All rows, as {@link #rows} gives them. */
    default MemorySegment bytes(WeightTensor tensor, Arena arena) {
        return rows(tensor, 0, tensor.rows(), arena);
    }

    @Override
    void close();
}
