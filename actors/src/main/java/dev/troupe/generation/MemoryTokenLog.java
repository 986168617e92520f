package dev.troupe.generation;

import dev.troupe.serving.GenerationId;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/** A log that lives and dies with its node: an entry is durable as soon as it is appended. */
public final class MemoryTokenLog implements TokenLog {
    private final List<LogEntry> entries = new ArrayList<>();

    /** A {@link TokenLog.Factory}. */
    public static TokenLog open(GenerationId id, LongConsumer durable) {
        return new MemoryTokenLog();
    }

    @Override
    public void append(LogEntry entry) {
        entries.add(entry);
    }

    @Override
    public long size() {
        return entries.size();
    }

    @Override
    public long durable() {
        return entries.size();
    }

    @Override
    public List<LogEntry> read(long from, int most) {
        int start = Math.toIntExact(from);
        return List.copyOf(entries.subList(start, Math.min(entries.size(), start + most)));
    }
}
