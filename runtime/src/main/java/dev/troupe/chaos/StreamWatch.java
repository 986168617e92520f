package dev.troupe.chaos;

import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * What one stream gave and when, with something that happens once, at one of its tokens or before the first. Several
 * threads may use it.
 */
public final class StreamWatch {
    private static final double NANOS_PER_MILLI = 1e6;

    private final int at;
    private final Runnable action;
    private final LongSupplier nanoTime;
    private final List<TextEvent> events = new ArrayList<>();
    private final List<Long> arrivals = new ArrayList<>();
    private final long begun;
    private boolean acted;
    private long actedAt;

    /**
     * @param at {@code action} happens when so many completion tokens have come; 0 for not by itself
     * @param action runs on the stream's thread, after the token
     */
    public StreamWatch(int at, Runnable action) {
        this(at, action, System::nanoTime);
    }

    StreamWatch(int at, Runnable action, LongSupplier nanoTime) {
        this.at = at;
        this.action = action;
        this.nanoTime = nanoTime;
        this.begun = nanoTime.getAsLong();
    }

    /** Watches a stream at which nothing happens. */
    public static StreamWatch ofPeace() {
        return new StreamWatch(0, () -> {});
    }

    /** The next event of the stream. */
    public synchronized void on(TextEvent event) {
        events.add(event);
        if (event instanceof TextEvent.Token) {
            arrivals.add(nanoTime.getAsLong());
            if (arrivals.size() == at) {
                act();
            }
        }
    }

    private void act() {
        acted = true;
        actedAt = nanoTime.getAsLong();
        action.run();
    }

    /** Does the action now, unless a token has come; says whether it did. */
    public synchronized boolean actBeforeTheFirstToken() {
        if (acted || !arrivals.isEmpty()) {
            return false;
        }
        act();
        return true;
    }

    /** Whether the stream came as far as the action. */
    public synchronized boolean hasActed() {
        return acted;
    }

    /** Completion tokens that have come. */
    public synchronized int tokens() {
        return arrivals.size();
    }

    /**
     * The whole generation.
     *
     * @throws IllegalArgumentException if it has not ended
     */
    public synchronized Completion completion() {
        return Completion.of(events);
    }

    /** From the making of this object to the first token, in milliseconds; 0 if none has come. */
    public synchronized double firstMillis() {
        return arrivals.isEmpty() ? 0 : (arrivals.getFirst() - begun) / NANOS_PER_MILLI;
    }

    /** The longest time without a token from the action on, in milliseconds; 0 if none came after it. */
    public synchronized double gapMillis() {
        long longest = acted && at == 0 && !arrivals.isEmpty() ? arrivals.getFirst() - actedAt : 0;
        for (int i = Math.max(1, at); i < arrivals.size(); i++) {
            longest = Math.max(longest, arrivals.get(i) - arrivals.get(i - 1));
        }
        return longest / NANOS_PER_MILLI;
    }

    /** The median time between two tokens of the whole stream, in milliseconds; 0 for less than two. */
    public synchronized double usualMillis() {
        List<Long> times = new ArrayList<>();
        for (int i = 1; i < arrivals.size(); i++) {
            times.add(arrivals.get(i) - arrivals.get(i - 1));
        }
        times.sort(null);
        return times.isEmpty() ? 0 : times.get(times.size() / 2) / NANOS_PER_MILLI;
    }

    /**
     * The first difference between this stream and {@code other}, which is of the same request: tokens, their text, the bits of
     * their logits and log-probabilities, rows, reasons to end.
     */
    public Optional<String> differenceFrom(StreamWatch other) {
        List<TextEvent> expected = content();
        List<TextEvent> got = other.content();
        int token = 0;
        for (int i = 0; i < Math.min(expected.size(), got.size()); i++) {
            if (!expected.get(i).equals(got.get(i))) {
                return Optional.of(
                        "at token %d: expected %s, got %s".formatted(token + 1, expected.get(i), got.get(i)));
            }
            token += expected.get(i) instanceof TextEvent.Token ? 1 : 0;
        }
        if (expected.size() != got.size()) {
            return Optional.of("after token %d: expected %d more events, got %d"
                    .formatted(
                            token,
                            expected.size() - Math.min(expected.size(), got.size()),
                            got.size() - Math.min(expected.size(), got.size())));
        }
        return Optional.empty();
    }

    private synchronized List<TextEvent> content() {
        return events.stream()
                .filter(event -> TextEvent.choiceOf(event).isPresent())
                .toList();
    }
}
