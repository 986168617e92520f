package dev.troupe.http;

import dev.troupe.config.HttpConfig;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The recordings of this server, bounded by their number, by that of each tenant, and by their bytes. The oldest that has ended makes
 * room for new ones; where all still run, new ones are refused, and the largest ends when the bytes are used up. Thread-safe.
 */
final class Recordings {
    /** Generations whose recording was dropped, and whose clients are told so. */
    private static final int MOST_DROPPED = 1024;

    private final HttpConfig.Recordings limits;
    private final Consumer<String> endTooLarge;
    private final Map<String, Kept> kept = new LinkedHashMap<>();
    private final Map<String, String> dropped = new LinkedHashMap<>();
    private long bytes;

    private static final class Kept {
        final Recording recording;
        long bytes;

        Kept(Recording recording) {
            this.recording = recording;
        }
    }

    /** @param endTooLarge ends the generation of that id, because its recording has no room */
    Recordings(HttpConfig.Recordings limits, Consumer<String> endTooLarge) {
        this.limits = limits;
        this.endTooLarge = endTooLarge;
    }

    /**
     * Begins a recording.
     *
     * @throws ApiError 429 if the tenant has too many that run, 503 if all have
     */
    synchronized Recording open(String tenant, String generation) {
        long own = kept.values().stream()
                .filter(other -> other.recording.tenant().equals(tenant))
                .count();
        if (own >= limits.mostPerKey() && !dropOldestEnded(tenant)) {
            throw ApiError.tooMany(
                    "%d resumable streams of yours run, expected at most %d".formatted(own, limits.mostPerKey()));
        }
        if (kept.size() >= limits.most() && !dropOldestEnded(null)) {
            throw ApiError.unavailable(
                    "overloaded",
                    "%d resumable streams run, at most %d do; come back later".formatted(kept.size(), limits.most()));
        }
        remove(generation); // of before it went to another front end and came back
        dropped.remove(generation);
        Recording recording = new Recording(tenant, size -> grew(generation, size));
        kept.put(generation, new Kept(recording));
        return recording;
    }

    /** One that its client never hears of, or that goes on elsewhere; another one of the same generation stays. */
    synchronized void forget(String generation, Recording recording) {
        Kept found = kept.get(generation);
        if (found != null && found.recording == recording) {
            remove(generation);
        }
    }

    /** @throws ApiError 410 if something was recorded of a tenant's generation and has been dropped */
    synchronized void requireNotDropped(String tenant, String generation) {
        if (tenant.equals(dropped.get(generation))) {
            throw ApiError.dropped("what was recorded of this generation has made room for newer streams");
        }
    }

    /** What was recorded of a tenant's generation, and is still here. */
    synchronized Optional<Recording> find(String tenant, String generation) {
        return Optional.ofNullable(kept.get(generation))
                .map(found -> found.recording)
                .filter(recording -> recording.tenant().equals(tenant));
    }

    /** Bytes of all events that are kept. */
    synchronized long bytes() {
        return bytes;
    }

    private void grew(String generation, int size) {
        Optional<String> largest;
        synchronized (this) {
            Kept grown = kept.get(generation);
            if (grown == null) {
                return;
            }
            grown.bytes += size;
            bytes += size;
            while (bytes > limits.mostBytes() && dropOldestEnded(null)) {
                // until it fits
            }
            largest = bytes > limits.mostBytes()
                    ? kept.entrySet().stream()
                            .max(Comparator.comparingLong(entry -> entry.getValue().bytes))
                            .map(Map.Entry::getKey)
                    : Optional.empty();
        }
        largest.ifPresent(endTooLarge);
    }

    /**
     * Makes room.
     *
     * @param tenant whose recordings count; null for all
     * @return false if none has ended
     */
    private boolean dropOldestEnded(@Nullable String tenant) {
        Optional<String> oldest = kept.entrySet().stream()
                .filter(entry -> entry.getValue().recording.hasEnded())
                .filter(entry ->
                        tenant == null || entry.getValue().recording.tenant().equals(tenant))
                .map(Map.Entry::getKey)
                .findFirst();
        oldest.ifPresent(generation -> {
            dropped.put(generation, remove(generation));
            if (dropped.size() > MOST_DROPPED) {
                dropped.remove(dropped.keySet().iterator().next());
            }
        });
        return oldest.isPresent();
    }

    /** Whose it was; empty if there is none. */
    private String remove(String generation) {
        Kept removed = kept.remove(generation);
        if (removed == null) {
            return "";
        }
        bytes -= removed.bytes;
        return removed.recording.tenant();
    }
}
