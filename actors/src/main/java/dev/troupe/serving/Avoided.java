package dev.troupe.serving;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;

/**
 * Slots that get no ranks for a while, because they were slow. Each time that one is slow again it is avoided twice as
 * long; one that was not for as long as it was avoided begins anew. Owned by one thread.
 */
final class Avoided {
    private static final Duration MOST = Duration.ofMinutes(10);

    private final Duration first;
    private final LongSupplier nanoTime;
    private final Map<String, Ban> bans = new HashMap<>();

    private record Ban(long until, Duration length) {}

    /**
     * @param first how long the first time
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    Avoided(Duration first, LongSupplier nanoTime) {
        this.first = first;
        this.nanoTime = nanoTime;
    }

    /** From now on, for a while; says for how long. */
    Duration add(String slot) {
        long now = nanoTime.getAsLong();
        bans.values().removeIf(ban -> now - ban.until() > ban.length().toNanos());
        Ban before = bans.get(slot);
        Duration length = before == null ? first : before.length().multipliedBy(2);
        if (length.compareTo(MOST) > 0) {
            length = MOST;
        }
        bans.put(slot, new Ban(now + length.toNanos(), length));
        return length;
    }

    /** Those that are avoided now. */
    Set<String> now() {
        long now = nanoTime.getAsLong();
        return bans.entrySet().stream()
                .filter(ban -> now - ban.getValue().until() < 0)
                .map(Map.Entry::getKey)
                .collect(Collectors.toUnmodifiableSet());
    }
}
