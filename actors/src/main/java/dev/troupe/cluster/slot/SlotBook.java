package dev.troupe.cluster.slot;

import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which members have described themselves and which homes of their slots are known: what is still to be asked follows from
 * it. A slot of another node is asked for only after that node has found it itself: then its region is known to the
 * coordinator, and asking cannot fail.
 */
final class SlotBook {
    private final Incarnation self;
    private final Map<String, NodeRole> kinds;
    private final Set<Incarnation> members = new TreeSet<>();
    private final Map<Incarnation, NodeInfo> described = new TreeMap<>();
    private final Set<Home> known = new HashSet<>();
    private final Map<Home, Asking> asked = new HashMap<>();
    private long turn;

    /** One kind's view of a slot: every kind has a region of its own. */
    record Home(String kind, Slot slot) {}

    /**
     * When a home is to be asked for again. A region keeps what it cannot deliver yet, so asking ever more often would only
     * fill it while there is no coordinator.
     */
    private record Asking(long due, long pause) {
        private static final long LONGEST = 64;

        Asking next(long turn) {
            return new Asking(turn + pause, Math.min(LONGEST, 2 * pause));
        }
    }

    /**
     * @param kinds name and role of every entity kind
     */
    SlotBook(Incarnation self, Map<String, NodeRole> kinds) {
        this.self = self;
        this.kinds = Map.copyOf(kinds);
    }

    void up(Incarnation member) {
        members.add(member);
    }

    void gone(Incarnation member) {
        members.remove(member);
        described.remove(member);
        known.removeIf(home -> home.slot().node().equals(member));
        asked.keySet().removeIf(home -> home.slot().node().equals(member));
    }

    void described(NodeInfo info) {
        if (members.contains(info.node())) {
            described.put(info.node(), info);
        }
    }

    void here(SlotProbe.Here here) {
        if (members.contains(here.slot().node())) {
            known.add(new Home(here.kind(), here.slot()));
        }
    }

    /** Members to be asked for a description: those that have given none, or not yet found all their own slots. */
    List<Incarnation> toDescribe() {
        return members.stream()
                .filter(member ->
                        !described.containsKey(member) || (!member.equals(self) && !foundItself(described.get(member))))
                .toList();
    }

    private static boolean foundItself(NodeInfo info) {
        return info.homes().containsAll(info.slots());
    }

    /** Homes to be asked for now, in pauses that double: they count as asked. */
    List<Home> toProbe() {
        turn++;
        List<Home> due = unknown().stream()
                .filter(home -> asked.getOrDefault(home, new Asking(turn, 1)).due() <= turn)
                .toList();
        due.forEach(home ->
                asked.put(home, asked.getOrDefault(home, new Asking(turn, 1)).next(turn)));
        return due;
    }

    private List<Home> unknown() {
        List<Home> open = new ArrayList<>();
        for (NodeInfo info : described.values()) {
            for (Slot slot : info.slots()) {
                if (info.node().equals(self) || info.homes().contains(slot)) {
                    kindsOf(slot).stream()
                            .map(kind -> new Home(kind, slot))
                            .filter(home -> !known.contains(home))
                            .forEach(open::add);
                }
            }
        }
        return List.copyOf(open);
    }

    private List<String> kindsOf(Slot slot) {
        return kinds.entrySet().stream()
                .filter(kind -> kind.getValue() == slot.role())
                .map(Map.Entry::getKey)
                .sorted()
                .toList();
    }

    SlotHomes.Snapshot snapshot() {
        List<Slot> homes = described.values().stream()
                .flatMap(info -> info.slots().stream())
                .filter(slot -> kindsOf(slot).stream().allMatch(kind -> known.contains(new Home(kind, slot))))
                .toList();
        return new SlotHomes.Snapshot(List.copyOf(described.values()), homes);
    }
}
