package dev.troupe.cluster.guardian;

import dev.troupe.cluster.identity.Incarnation;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Members that cannot take part in the same replicas as this node, each with the reason. Written by {@link Acquaintance},
 * read from any thread.
 */
public final class Misfits {
    private final ConcurrentHashMap<Incarnation, String> reasons = new ConcurrentHashMap<>();

    /** Who does not fit, and why, for people. */
    public Map<Incarnation, String> now() {
        return new TreeMap<>(reasons);
    }

    void put(Incarnation node, String reason) {
        reasons.put(node, reason);
    }
}
