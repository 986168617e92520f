package dev.troupe.generation;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A log that lives and dies with its node: an entry is durable as soon as it is appended. */
public final class MemoryTokenLog implements TokenLog {
    private final List<LogEntry> entries;

    private MemoryTokenLog(List<LogEntry> entries) {
        this.entries = new ArrayList<>(entries);
    }

    /** A {@link TokenLog.Factory}. */
    public static TokenLog open(Opening opening) {
        return new MemoryTokenLog(opening.entries());
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
    public boolean isHeld() {
        return true;
    }

    @Override
    public List<LogEntry> read(long from, int most) {
        int start = Math.toIntExact(from);
        return List.copyOf(entries.subList(start, Math.min(entries.size(), start + most)));
    }

    @Override
    public void flush() {}

    @Override
    public void on(LogKeeper.Answer answer) {}

    @Override
    public void check() {}

    @Override
    public void confirm() {}

    @Override
    public Optional<OwnerTerm> takenBy() {
        return Optional.empty();
    }

    @Override
    public void close() {}
}
