package dev.troupe.generation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A log with a second holder: an entry is durable when a follower on another node has it. One message is on its way at a time
 * and holds all that has been appended since the one before; it is sent again until it is answered. A follower that is lost or
 * silent is replaced by another, which gets everything. Where there is no other node, an entry is durable at once: one node
 * cannot promise more.
 *
 * <p>Every message carries the owner's term. A holder that knows a higher one refuses, and then this log is not the owner's any
 * more.
 */
public final class ReplicatedTokenLog implements TokenLog {
    private static final long RESEND_AFTER = Duration.ofMillis(400).toNanos();
    private static final long SILENT_AFTER = Duration.ofMillis(1500).toNanos();

    private final Opening opening;
    private final LogHolders holders;
    private final LongSupplier nanoTime;
    private final long sign;
    private final long openedAt;
    private final List<LogEntry> entries;

    /** Who may still have an older copy, by node. */
    private final Map<String, LogHolders.Holder> previous = new LinkedHashMap<>();

    private LogHolders.@Nullable Holder follower;

    /** Counts followers, and beginnings with one. */
    private long stint;

    private boolean opened;

    /** Entries that the follower has. */
    private long followed;

    private long durable;
    private boolean inFlight;
    private long sentAt;

    /** When the first of the messages was sent that have had no answer. */
    private long waitingSince;

    private @Nullable OwnerTerm takenBy;

    private ReplicatedTokenLog(Opening opening, LogHolders holders, Duration signOfLife, LongSupplier nanoTime) {
        this.opening = opening;
        this.holders = holders;
        this.sign = signOfLife.toNanos();
        this.nanoTime = nanoTime;
        this.openedAt = nanoTime.getAsLong();
        this.entries = new ArrayList<>(opening.entries());
        opening.previous().forEach(holder -> previous.put(holder.node(), holder));
    }

    /**
     * Makes logs of this kind.
     *
     * @param signOfLife how often a follower hears of a log in which nothing happens
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    public static Factory factory(LogHolders holders, Duration signOfLife, LongSupplier nanoTime) {
        return opening -> new ReplicatedTokenLog(opening, holders, signOfLife, nanoTime);
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
        return durable;
    }

    @Override
    public boolean isHeld() {
        return opened;
    }

    @Override
    public List<LogEntry> read(long from, int most) {
        int start = Math.toIntExact(from);
        return List.copyOf(entries.subList(start, Math.min(entries.size(), start + most)));
    }

    @Override
    public void flush() {
        if (takenBy != null) {
            return;
        }
        if (follower == null) {
            best(holders.others()).ifPresent(this::follow);
        }
        if (follower == null) {
            opened = true;
            durable = entries.size();
        } else if (!inFlight && (!opened || followed < entries.size())) {
            send();
        }
    }

    /** At first one that has answered lately, and may have all already. */
    private Optional<LogHolders.Holder> best(List<LogHolders.Holder> others) {
        return others.stream()
                .filter(other -> stint == 0 && previous.containsKey(other.node()))
                .min(Comparator.comparingInt(
                        other -> List.copyOf(previous.keySet()).indexOf(other.node())))
                .or(() -> others.stream().findFirst());
    }

    private void follow(LogHolders.Holder next) {
        LogHolders.Holder before = follower;
        if (before != null) {
            previous.put(before.node(), before);
        }
        follower = next;
        begin();
    }

    private void begin() {
        stint++;
        opened = false;
        followed = 0;
        inFlight = false;
        waitingSince = nanoTime.getAsLong();
    }

    private void send() {
        LogHolders.Holder to = follower;
        if (to == null) {
            return;
        }
        long now = nanoTime.getAsLong();
        if (!inFlight) {
            waitingSince = now;
        }
        inFlight = true;
        sentAt = now;
        to.keeper()
                .tell(
                        opened
                                ? new LogKeeper.Append(
                                        opening.id(),
                                        opening.term(),
                                        stint,
                                        followed,
                                        LogPages.page(entries, (int) followed),
                                        opening.answers())
                                : new LogKeeper.Open(
                                        opening.id(),
                                        opening.term(),
                                        stint,
                                        opening.request(),
                                        opening.age().plusNanos(now - openedAt),
                                        opening.answers()));
    }

    @Override
    public void on(LogKeeper.Answer answer) {
        switch (answer) {
            case LogKeeper.Holds(var _, OwnerTerm term, long from, long count)
            when term.equals(opening.term()) && from == stint -> {
                opened = true;
                inFlight = false;
                followed = Math.max(followed, Math.min(count, entries.size()));
                durable = Math.max(durable, followed);
                if (followed == entries.size()) {
                    forgetPrevious();
                }
            }
            case LogKeeper.Missing(var _, OwnerTerm term, long from)
            when term.equals(opening.term()) && from == stint -> begin();
            case LogKeeper.Refused(var _, OwnerTerm by) when by.compareTo(opening.term()) > 0 -> takenBy = by;
            case LogKeeper.Holds _,
                    LogKeeper.Missing _,
                    LogKeeper.Refused _,
                    LogKeeper.Found _,
                    LogKeeper.NotHere _,
                    LogKeeper.Fenced _,
                    LogKeeper.Claimed _,
                    LogKeeper.Page _ -> {}
        }
    }

    @Override
    public void check() {
        LogHolders.Holder current = follower;
        if (takenBy != null || current == null) {
            return;
        }
        long now = nanoTime.getAsLong();
        List<LogHolders.Holder> others = holders.others();
        boolean lost = others.stream().noneMatch(other -> other.node().equals(current.node()));
        boolean silent = inFlight && now - waitingSince > SILENT_AFTER;
        if (lost || silent) {
            Optional<LogHolders.Holder> other = others.stream()
                    .filter(holder -> !holder.node().equals(current.node()))
                    .findFirst();
            if (other.isPresent()) {
                follow(other.get());
                return;
            }
            if (lost) {
                previous.put(current.node(), current);
                follower = null;
                inFlight = false;
                return;
            }
        }
        if (now - sentAt > (inFlight ? RESEND_AFTER : sign)) {
            send();
        }
    }

    @Override
    public void confirm() {
        if (follower != null) {
            begin();
        }
    }

    @Override
    public Optional<OwnerTerm> takenBy() {
        return Optional.ofNullable(takenBy);
    }

    @Override
    public void close() {
        LogHolders.Holder current = follower;
        if (current != null) {
            previous.put(current.node(), current);
        }
        previous.values().forEach(this::forget);
    }

    private void forgetPrevious() {
        LogHolders.Holder current = follower;
        previous.values().stream()
                .filter(holder -> current == null || !holder.node().equals(current.node()))
                .forEach(this::forget);
        previous.clear();
    }

    private void forget(LogHolders.Holder holder) {
        holder.keeper().tell(new LogKeeper.Forget(opening.id(), opening.term()));
    }
}
