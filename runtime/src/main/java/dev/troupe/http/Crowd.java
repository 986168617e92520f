package dev.troupe.http;

import java.util.HashMap;
import java.util.Map;

/** Requests that are being served, by tenant: more than a limit are refused at once instead of waiting. Thread-safe. */
final class Crowd {
    private final int most;
    private final int mostOfOne;
    private final Map<String, Integer> running = new HashMap<>();
    private int all;

    /**
     * @param most of all tenants together
     * @param mostOfOne of one tenant
     */
    Crowd(int most, int mostOfOne) {
        this.most = most;
        this.mostOfOne = mostOfOne;
    }

    /** A place in the crowd, until it is closed. */
    interface Place extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Lets {@code count} generations of a tenant in.
     *
     * @throws ApiError 429 if the tenant has too many, 503 if all have
     */
    synchronized Place enter(String tenant, int count) {
        int own = running.getOrDefault(tenant, 0);
        if (own + count > mostOfOne) {
            throw ApiError.tooMany("%d generations of yours are running and %d more were asked for, expected at most %d"
                    .formatted(own, count, mostOfOne));
        }
        if (all + count > most) {
            throw ApiError.unavailable(
                    "overloaded", "%d generations are running, at most %d do; come back later".formatted(all, most));
        }
        running.put(tenant, own + count);
        all += count;
        return new Place() {
            private boolean left;

            @Override
            public void close() {
                synchronized (Crowd.this) {
                    if (!left) {
                        left = true;
                        all -= count;
                        running.computeIfPresent(tenant, (t, now) -> now == count ? null : now - count);
                    }
                }
            }
        };
    }

    /** How many there are now. */
    synchronized int size() {
        return all;
    }
}
