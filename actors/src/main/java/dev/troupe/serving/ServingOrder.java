package dev.troupe.serving;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedCollection;
import org.jspecify.annotations.Nullable;

/**
 * The sequences of a planner in the order in which they are served: that of their arrival, but each tenant's sequences stand in the
 * places of that tenant by their {@link Precedence}. Whose place is whose never changes by it, so a priority costs only its own
 * tenant.
 *
 * <p>Owned by one thread.
 */
final class ServingOrder {
    /** By id, in the order of arrival, in which ids rise too. */
    private final LinkedHashMap<Long, Sequence> arrived = new LinkedHashMap<>();

    /** Sequences with a priority: without any the order is that of arrival. */
    private int prioritized;

    private @Nullable List<Sequence> order;

    void add(Sequence sequence) {
        arrived.put(sequence.id(), sequence);
        prioritized += isPrioritized(sequence) ? 1 : 0;
        order = null;
    }

    /** Whether it was there. */
    boolean remove(Sequence sequence) {
        Sequence removed = arrived.remove(sequence.id());
        if (removed == null) {
            return false;
        }
        prioritized -= isPrioritized(removed) ? 1 : 0;
        order = null;
        return true;
    }

    boolean contains(Sequence sequence) {
        return arrived.containsKey(sequence.id());
    }

    private static boolean isPrioritized(Sequence sequence) {
        return sequence.submission().precedence().priority() != 0;
    }

    /** All of them, the first to be served first. */
    SequencedCollection<Sequence> all() {
        if (prioritized == 0) {
            return arrived.sequencedValues();
        }
        List<Sequence> current = order;
        if (current == null) {
            current = arranged();
            order = current;
        }
        return current;
    }

    private List<Sequence> arranged() {
        Map<String, List<Sequence>> tenants = new HashMap<>();
        arrived.values()
                .forEach(sequence -> tenants.computeIfAbsent(tenant(sequence), _ -> new ArrayList<>())
                        .add(sequence));
        tenants.values().forEach(own -> own.sort(Comparator.comparingLong(Sequence::rank)));
        List<Sequence> arranged = new ArrayList<>();
        Map<String, Integer> taken = new HashMap<>();
        for (Sequence place : arrived.values()) {
            int next = taken.merge(tenant(place), 1, Integer::sum) - 1;
            arranged.add(tenants.getOrDefault(tenant(place), List.of()).get(next));
        }
        return arranged;
    }

    private static String tenant(Sequence sequence) {
        return sequence.submission().precedence().tenant();
    }
}
