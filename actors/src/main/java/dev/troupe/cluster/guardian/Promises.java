package dev.troupe.cluster.guardian;

import dev.troupe.stage.Epoch;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * The ballots one node has promised, per replica. It accepts only what rises and writes nothing down: a node that starts
 * again is another incarnation, and nothing of its old slots is left to protect. Thread-safe.
 */
public final class Promises {
    private volatile boolean leaving;
    private final Map<String, Epoch> highest = new HashMap<>();
    private final Map<String, Set<Epoch>> superseded = new HashMap<>();

    /**
     * Promises {@code epoch} for {@code replica} unless a higher one was promised. Promising the same twice is the same
     * promise: nobody but its issuer can ask for it.
     *
     * @return the highest promised afterwards: {@code epoch} itself if it was accepted
     */
    public synchronized Epoch offer(String replica, Epoch epoch) {
        Epoch before = highest(replica);
        if (epoch.compareTo(before) < 0) {
            return before;
        }
        if (epoch.compareTo(before) > 0) {
            highest.put(replica, epoch);
            superseded.computeIfAbsent(replica, _ -> new HashSet<>()).add(before);
        }
        return epoch;
    }

    /** From now on this node's devices take part in no epoch. */
    public void leave() {
        leaving = true;
    }

    /** Whether this node has been told to leave. */
    public boolean isLeaving() {
        return leaving;
    }

    /** The highest ballot promised for {@code replica}, or {@link Epoch#NONE}. */
    public synchronized Epoch highest(String replica) {
        return highest.getOrDefault(replica, Epoch.NONE);
    }

    /** Whether {@code epoch} was once promised for {@code replica} and a higher one was promised since. */
    synchronized boolean isSuperseded(String replica, Epoch epoch) {
        return superseded.getOrDefault(replica, Set.of()).contains(epoch);
    }

    /**
     * Forgets superseded epochs of {@code replica}, but for those of {@code alive}: they were told to end and could come
     * back to mind only to be told again.
     */
    synchronized void retain(String replica, Set<Epoch> alive) {
        Set<Epoch> known = superseded.get(replica);
        if (known != null) {
            known.retainAll(alive);
        }
    }
}
