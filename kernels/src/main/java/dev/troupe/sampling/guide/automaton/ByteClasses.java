package dev.troupe.sampling.guide.automaton;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** Bytes that no node tells apart are one class, so that a state has a column for each class and not for each byte. */
final class ByteClasses {
    private final int[] classOf = new int[256];
    private int count = 1;
    private final Map<ByteSet, int[]> classesOf = new HashMap<>();

    ByteClasses(Nfa nfa) {
        Set<ByteSet> sets = new LinkedHashSet<>();
        for (int node = 0; node < nfa.size(); node++) {
            ByteSet set = nfa.set(node);
            if (set != null) {
                sets.add(set);
            }
        }
        for (ByteSet set : sets) {
            if (count == 256) {
                break;
            }
            refine(set);
        }
        sets.forEach(set -> classesOf.put(set, classes(set)));
    }

    private void refine(ByteSet set) {
        Map<Integer, Integer> renamed = new HashMap<>();
        for (int b = 0; b < 256; b++) {
            int key = 2 * classOf[b] + (set.contains(b) ? 1 : 0);
            Integer known = renamed.get(key);
            int name = known == null ? renamed.size() : known;
            renamed.put(key, name);
            classOf[b] = name;
        }
        count = renamed.size();
    }

    private int[] classes(ByteSet set) {
        boolean[] in = new boolean[count];
        for (int b = 0; b < 256; b++) {
            in[classOf[b]] |= set.contains(b);
        }
        int[] found = new int[count];
        int size = 0;
        for (int c = 0; c < count; c++) {
            if (in[c]) {
                found[size++] = c;
            }
        }
        return Arrays.copyOf(found, size);
    }

    /** Number of classes. */
    int count() {
        return count;
    }

    /** The class of each byte value. */
    int[] classOf() {
        return classOf;
    }

    /** The classes that a node's set is made of. */
    int[] classesOf(ByteSet set) {
        int[] classes = classesOf.get(set);
        if (classes == null) {
            throw new IllegalArgumentException("%s is in no node".formatted(set));
        }
        return classes;
    }
}
