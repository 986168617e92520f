package dev.troupe.generation;

import dev.troupe.serving.Output;
import java.util.List;

/** How much of a log goes into one message: as many entries as a message between nodes holds. */
final class LogPages {
    /** Well under the largest message between nodes, in bytes. */
    private static final long BYTES = 256 << 10;

    private static final int ENTRY_BYTES = 64;

    private LogPages() {}

    /** The next entries from {@code from} on; at least one if there is one. */
    static List<LogEntry> page(List<LogEntry> log, int from) {
        long bytes = 0;
        int end = from;
        while (end < log.size() && (end == from || bytes + bytes(log.get(end)) <= BYTES)) {
            bytes += bytes(log.get(end));
            end++;
        }
        return List.copyOf(log.subList(from, end));
    }

    private static long bytes(LogEntry entry) {
        return switch (entry) {
            case LogEntry.Finished _ -> ENTRY_BYTES;
            case LogEntry.Computed(var _, Output.Token token) ->
                ENTRY_BYTES + (long) Long.BYTES * token.top().size();
            case LogEntry.Computed(var _, Output.Score score) ->
                ENTRY_BYTES + (long) Long.BYTES * score.top().size();
            case LogEntry.Computed(var _, Output.Mean mean) ->
                ENTRY_BYTES + (long) Float.BYTES * mean.values().columns();
            case LogEntry.Computed(var _, Output.Row row) ->
                ENTRY_BYTES
                        + (long) Float.BYTES
                                * row.values().rows()
                                * row.values().columns();
            case LogEntry.Computed(var _, Output.Hidden hidden) ->
                ENTRY_BYTES
                        + (long) Float.BYTES
                                * hidden.values().rows()
                                * hidden.values().columns();
        };
    }
}
