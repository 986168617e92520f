package dev.troupe.generation;

import dev.troupe.serving.GenerationId;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * The entries of one generation in the order in which they happened. Nobody sees an entry before it is durable; what
 * that takes is the log's business: a list in memory, or a second holder that has to answer first. Owned by one thread.
 */
public interface TokenLog {
    /** Appends. */
    void append(LogEntry entry);

    /** Entries appended. */
    long size();

    /** Entries that may be shown, counted from the first. */
    long durable();

    /**
     * Entries from {@code from} on.
     *
     * @param most how many at most
     * @throws IndexOutOfBoundsException if {@code from} is beyond the end
     */
    List<LogEntry> read(long from, int most);

    /** Makes logs. */
    @FunctionalInterface
    interface Factory {
        /**
         * An empty log.
         *
         * @param durable to be told by any thread when more entries have become durable some time after their append,
         *     with the count of {@link #durable()}
         */
        TokenLog open(GenerationId id, LongConsumer durable);
    }
}
