package dev.troupe.sampling.guide.automaton;

import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The subset construction: one state for every set of nodes that the same bytes and calls lead to. Its limits count
 * states and work, never time, so that every rank comes to the same end.
 */
final class Determiniser {
    static final int MOST_STATES = 20_000;
    static final int MOST_CELLS = 2_000_000;
    static final long MOST_WORK = 30_000_000;

    private final Nfa nfa;
    private final ByteClasses classes;
    private final Map<Ints, Integer> stateOf = new HashMap<>();
    private final List<Ints> sets = new ArrayList<>();
    private final List<int[]> next = new ArrayList<>();
    private final List<int[]> calls = new ArrayList<>();
    private final BitSet accepting = new BitSet();
    private final int[] seen;
    private int visit;
    private long work;

    Determiniser(Nfa nfa, ByteClasses classes) {
        this.nfa = nfa;
        this.classes = classes;
        this.seen = new int[nfa.size()];
    }

    /** Makes all states that a rule can reach and returns its first. */
    int rule(int entry) {
        int start = state(Ints.of(entry));
        for (int state = next.size(); state < sets.size(); state++) {
            expand(state);
        }
        return start;
    }

    /** The state of these nodes and of all that follow from them without a byte or a call. */
    private int state(Ints nodes) {
        visit++;
        int[] stack = new int[2 * nodes.size() + 64];
        int height = 0;
        for (int i = 0; i < nodes.size(); i++) {
            stack[height++] = nodes.get(i);
        }
        int[] kept = new int[16];
        int size = 0;
        while (height > 0) {
            int node = stack[--height];
            if (node == Nfa.NONE || seen[node] == visit) {
                continue;
            }
            seen[node] = visit;
            count(1);
            if (nfa.kind(node) != Nfa.Kind.SPLIT) {
                kept = size == kept.length ? Arrays.copyOf(kept, 2 * size) : kept;
                kept[size++] = node;
                continue;
            }
            stack = height + 2 > stack.length ? Arrays.copyOf(stack, 2 * stack.length) : stack;
            stack[height++] = nfa.first(node);
            stack[height++] = nfa.second(node);
        }
        if (size == 0) {
            return Automaton.NO_STATE;
        }
        int[] set = Arrays.copyOf(kept, size);
        Arrays.sort(set);
        return named(Ints.of(set));
    }

    private int named(Ints set) {
        Integer known = stateOf.get(set);
        if (known != null) {
            return known;
        }
        int most = Math.min(MOST_STATES, MOST_CELLS / classes.count());
        if (sets.size() == most) {
            throw new GuideException(
                    "the guide needs more than %d states; shorten its repetitions and lists".formatted(most));
        }
        stateOf.put(set, sets.size());
        sets.add(set);
        return sets.size() - 1;
    }

    private void expand(int state) {
        IntList[] byClass = new IntList[classes.count()];
        Map<Integer, IntList> byRule = new TreeMap<>();
        Ints set = sets.get(state);
        for (int i = 0; i < set.size(); i++) {
            int node = set.get(i);
            ByteSet bytes = nfa.set(node);
            if (bytes != null) {
                for (int c : classes.classesOf(bytes)) {
                    count(1);
                    byClass[c] = byClass[c] == null ? new IntList() : byClass[c];
                    byClass[c].add(nfa.first(node));
                }
            } else if (nfa.kind(node) == Nfa.Kind.CALL) {
                byRule.computeIfAbsent(nfa.rule(node), rule -> new IntList()).add(nfa.first(node));
            } else {
                accepting.set(state);
            }
        }
        next.add(row(byClass));
        int[] pairs = new int[2 * byRule.size()];
        int at = 0;
        for (Map.Entry<Integer, IntList> call : byRule.entrySet()) {
            int after = state(call.getValue().ints());
            if (after != Automaton.NO_STATE) {
                pairs[at++] = call.getKey();
                pairs[at++] = after;
            }
        }
        calls.add(Arrays.copyOf(pairs, at));
    }

    private int[] row(IntList[] byClass) {
        int[] row = new int[byClass.length];
        Map<Ints, Integer> found = new HashMap<>();
        for (int c = 0; c < row.length; c++) {
            row[c] = Automaton.NO_STATE;
            if (byClass[c] != null) {
                Ints nodes = byClass[c].ints();
                Integer known = found.get(nodes);
                row[c] = known == null ? state(nodes) : known;
                found.put(nodes, row[c]);
            }
        }
        return row;
    }

    private void count(int more) {
        work += more;
        if (work > MOST_WORK) {
            throw new GuideException("the guide takes more than %d steps to compile; simplify it".formatted(MOST_WORK));
        }
    }

    int states() {
        return sets.size();
    }

    /** Of a state, its successor by class. */
    int[] next(int state) {
        return next.get(state);
    }

    /** Of a state, pairs of the rule called and the state after it. */
    int[] calls(int state) {
        return calls.get(state);
    }

    boolean accepts(int state) {
        return accepting.get(state);
    }

    /** A growing list of ints. */
    private static final class IntList {
        private int[] values = new int[4];
        private int size;

        void add(int value) {
            values = size == values.length ? Arrays.copyOf(values, 2 * size) : values;
            values[size++] = value;
        }

        Ints ints() {
            return Ints.of(Arrays.copyOf(values, size));
        }
    }
}
