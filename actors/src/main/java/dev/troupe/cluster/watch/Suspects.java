package dev.troupe.cluster.watch;

import dev.troupe.cluster.identity.Incarnation;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Members that something speaks against: nobody waits for them, though everybody still asks them. Written by
 * {@link NodeWatch}, read from any thread.
 */
public final class Suspects {
    private final Set<Incarnation> suspects = ConcurrentHashMap.newKeySet();

    /** Who is suspected now. */
    public Set<Incarnation> now() {
        return Set.copyOf(suspects);
    }

    void add(Incarnation node) {
        suspects.add(node);
    }

    void remove(Incarnation node) {
        suspects.remove(node);
    }
}
