package dev.troupe.cluster.watch;

import dev.troupe.cluster.identity.Incarnation;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * Members that something speaks against: nobody waits for them, though everybody still asks them. Written by
 * {@link NodeWatch}, read from any thread.
 */
public final class Suspects {
    private final Map<Incarnation, Verdict> suspects = new ConcurrentHashMap<>();

    private enum Verdict {
        ASKED,
        LOST
    }

    /** Who is suspected now. */
    public Set<Incarnation> now() {
        return Set.copyOf(suspects.keySet());
    }

    /** Those of them that were asked and did not answer in time, or that leave: what they did must be done elsewhere. */
    public Set<Incarnation> lost() {
        return suspects.entrySet().stream()
                .filter(suspect -> suspect.getValue() == Verdict.LOST)
                .map(Map.Entry::getKey)
                .collect(Collectors.toUnmodifiableSet());
    }

    void add(Incarnation node) {
        suspects.putIfAbsent(node, Verdict.ASKED);
    }

    void lose(Incarnation node) {
        suspects.put(node, Verdict.LOST);
    }

    void remove(Incarnation node) {
        suspects.remove(node);
    }
}
