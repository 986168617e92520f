package dev.troupe.chaos;

import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * What one stream gave and when, with something that happens once, at one of its tokens. One thread after another may
 * use it.
 */
public final class StreamWatch {
    private static final double NANOS_PER_MILLI = 1e6;

    private final int at;
    private final Runnable action;
    private final LongSupplier nanoTime;
    private final List<TextEvent> events = new ArrayList<>();
    private final List<Long> arrivals = new ArrayList<>();
    private boolean acted;

    /**
     * @param at {@code action} happens when so many completion tokens have come; 0 for never
     * @param action runs on the stream's thread, after the token
     */
    public StreamWatch(int at, Runnable action) {
        this(at, action, System::nanoTime);
    }

    StreamWatch(int at, Runnable action, LongSupplier nanoTime) {
        this.at = at;
        this.action = action;
        this.nanoTime = nanoTime;
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
                acted = true;
                action.run();
            }
        }
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

    /** The longest time between two tokens from the action on, in milliseconds; 0 if none came after it. */
    public synchronized double gapMillis() {
        long longest = 0;
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
                .filter(event -> !(event instanceof TextEvent.Started))
                .toList();
    }
}
