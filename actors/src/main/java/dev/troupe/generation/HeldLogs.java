package dev.troupe.generation;

import dev.troupe.serving.GenerationId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The logs that a node holds for others. It believes the highest term that it has heard of, and remembers that term for a while
 * after a log is gone, so that an owner that was asleep cannot begin anew. Owned by one thread.
 */
final class HeldLogs {
    /** How long a term outlives its log: longer than any pause after which a process is still a member. */
    static final Duration FENCED_FOR = Duration.ofMinutes(10);

    /** One generation: a log, or only the term that it had. */
    private static final class Copy {
        private final OwnerTerm term;
        private final @Nullable GenerationRequest request;
        private final List<LogEntry> entries;
        private final long beganAt;
        private long heardAt;

        Copy(OwnerTerm term, @Nullable GenerationRequest request, List<LogEntry> entries, long beganAt, long heardAt) {
            this.term = term;
            this.request = request;
            this.entries = entries;
            this.beganAt = beganAt;
            this.heardAt = heardAt;
        }

        boolean isFinished() {
            long ended =
                    entries.stream().filter(LogEntry.Finished.class::isInstance).count();
            return request != null && ended == request.n();
        }
    }

    private final Duration abandonedAfter;
    private final LongSupplier nanoTime;
    private final Map<GenerationId, Copy> copies = new HashMap<>();

    HeldLogs(Duration abandonedAfter, LongSupplier nanoTime) {
        this.abandonedAfter = abandonedAfter;
        this.nanoTime = nanoTime;
    }

    LogKeeper.Answer open(LogKeeper.Open asked) {
        Copy copy = copies.get(asked.id());
        if (copy != null && copy.term.compareTo(asked.term()) > 0) {
            return new LogKeeper.Refused(asked.id(), copy.term);
        }
        long now = nanoTime.getAsLong();
        if (copy == null || copy.request == null || !copy.term.equals(asked.term())) {
            copy = new Copy(
                    asked.term(),
                    asked.request(),
                    new ArrayList<>(),
                    now - asked.age().toNanos(),
                    now);
            copies.put(asked.id(), copy);
        }
        copy.heardAt = now;
        return new LogKeeper.Holds(asked.id(), copy.term, asked.stint(), copy.entries.size());
    }

    LogKeeper.Answer append(LogKeeper.Append asked) {
        Copy copy = copies.get(asked.id());
        if (copy != null && copy.term.compareTo(asked.term()) > 0) {
            return new LogKeeper.Refused(asked.id(), copy.term);
        }
        if (copy == null || copy.request == null || !copy.term.equals(asked.term())) {
            return new LogKeeper.Missing(asked.id(), asked.term(), asked.stint());
        }
        copy.heardAt = nanoTime.getAsLong();
        long known = copy.entries.size() - asked.first();
        if (known >= 0 && known < asked.entries().size()) {
            copy.entries.addAll(
                    asked.entries().subList((int) known, asked.entries().size()));
        }
        return new LogKeeper.Holds(asked.id(), copy.term, asked.stint(), copy.entries.size());
    }

    void forget(LogKeeper.Forget asked) {
        Copy copy = copies.get(asked.id());
        if (copy == null || copy.term.compareTo(asked.term()) <= 0) {
            remember(asked.id(), asked.term());
        }
    }

    private void remember(GenerationId id, OwnerTerm term) {
        long now = nanoTime.getAsLong();
        copies.put(id, new Copy(term, null, List.of(), now, now));
    }

    LogKeeper.Answer seek(LogKeeper.Seek asked) {
        Copy copy = copies.get(asked.id());
        return copy == null || copy.request == null
                ? notHere(asked.id(), asked.number(), copy)
                : new LogKeeper.Found(asked.id(), asked.number(), copy.term, copy.entries.size());
    }

    private static LogKeeper.Answer notHere(GenerationId id, int number, @Nullable Copy copy) {
        return new LogKeeper.NotHere(id, number, copy == null ? OwnerTerm.NONE : copy.term);
    }

    LogKeeper.Answer fence(LogKeeper.Fence asked) {
        Copy copy = copies.get(asked.id());
        if (copy != null && copy.term.compareTo(asked.term()) > 0) {
            return new LogKeeper.Refused(asked.id(), copy.term);
        }
        if (copy == null || !copy.term.equals(asked.term())) {
            remember(asked.id(), asked.term());
        }
        return new LogKeeper.Fenced(asked.id(), asked.term(), asked.number());
    }

    LogKeeper.Answer claim(LogKeeper.Claim asked) {
        Copy copy = copies.get(asked.id());
        if (copy == null || copy.request == null) {
            return notHere(asked.id(), asked.number(), copy);
        }
        int order = copy.term.compareTo(asked.term());
        if (order > 0) {
            return new LogKeeper.Refused(asked.id(), copy.term);
        }
        long now = nanoTime.getAsLong();
        if (order < 0) {
            copies.put(asked.id(), new Copy(asked.term(), copy.request, copy.entries, copy.beganAt, now));
        }
        return new LogKeeper.Claimed(
                asked.id(), asked.term(), copy.request, copy.entries.size(), Duration.ofNanos(now - copy.beganAt));
    }

    LogKeeper.Answer read(LogKeeper.Read asked) {
        Copy copy = copies.get(asked.id());
        if (copy == null || copy.request == null) {
            return notHere(asked.id(), asked.number(), copy);
        }
        if (!copy.term.equals(asked.term())) {
            return new LogKeeper.Refused(asked.id(), copy.term);
        }
        copy.heardAt = nanoTime.getAsLong();
        int from = Math.clamp(asked.from(), 0, copy.entries.size());
        return new LogKeeper.Page(asked.id(), copy.term, from, LogPages.page(copy.entries, from));
    }

    /** The log of a ticket, for its tenant only. */
    Optional<LogKeeper.Held> show(LogKeeper.Show asked) {
        for (Map.Entry<GenerationId, Copy> entry : copies.entrySet()) {
            GenerationRequest request = entry.getValue().request;
            Ticket ticket = request == null ? null : request.ticket();
            if (request != null && ticket != null && ticket.isFor(asked.ticket(), asked.tenant())) {
                return Optional.of(new LogKeeper.Held(
                        entry.getKey(), request, entry.getValue().isFinished()));
            }
        }
        return Optional.empty();
    }

    /** Drops what nobody has spoken of for too long; the result names the logs among it. */
    List<GenerationId> sweep() {
        long now = nanoTime.getAsLong();
        List<GenerationId> dropped = new ArrayList<>();
        for (Iterator<Map.Entry<GenerationId, Copy>> each = copies.entrySet().iterator(); each.hasNext(); ) {
            Map.Entry<GenerationId, Copy> entry = each.next();
            Copy copy = entry.getValue();
            boolean isLog = copy.request != null;
            if (now - copy.heardAt > (isLog ? abandonedAfter : FENCED_FOR).toNanos()) {
                each.remove();
                if (isLog) {
                    dropped.add(entry.getKey());
                }
            }
        }
        return dropped;
    }

    /** Logs held, for tests of what is dropped. */
    int size() {
        return (int)
                copies.values().stream().filter(copy -> copy.request != null).count();
    }
}
