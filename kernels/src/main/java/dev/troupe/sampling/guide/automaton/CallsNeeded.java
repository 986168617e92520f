package dev.troupe.sampling.guide.automaton;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;

/**
 * For every state, how many calls must be open at once to reach the end of its rule, at least. A state that needs more
 * than are left is a dead end, and known as one before it is entered.
 */
public final class CallsNeeded {
    private static final int NEVER = Integer.MAX_VALUE / 2;

    private final Automaton automaton;
    private final boolean[] usable;
    private final int[] needed;
    private final int[] neededByByte;
    /** Predecessors by a byte, of state s at {@code [from[s], from[s + 1])}. */
    private final int[] sources;

    private final int[] from;

    private CallsNeeded(Automaton automaton, ByteSet bytes) {
        this.automaton = automaton;
        this.usable = new boolean[automaton.classes()];
        for (int b = 0; b < 256; b++) {
            usable[automaton.classOf(b)] |= bytes.contains(b);
        }
        this.needed = new int[automaton.states()];
        this.neededByByte = new int[automaton.states()];
        Arrays.fill(needed, NEVER);
        this.from = new int[automaton.states() + 1];
        this.sources = predecessors();
    }

    /** Computes what an automaton needs if only some byte values may be used. */
    public static CallsNeeded of(Automaton automaton, ByteSet bytes) {
        CallsNeeded needed = new CallsNeeded(automaton, bytes);
        int level = 0;
        while (level <= Automaton.MOST_OPEN_CALLS && needed.settle(level)) {
            level++;
        }
        needed.settleBytes();
        return needed;
    }

    /** Whether a state with this many open calls can reach the end of its rule. */
    public boolean within(int state, int open) {
        return open + needed[state] <= Automaton.MOST_OPEN_CALLS;
    }

    /** Whether it can do so by a byte next. */
    public boolean byByte(int state, int open) {
        return open + neededByByte[state] <= Automaton.MOST_OPEN_CALLS;
    }

    private void settleBytes() {
        Arrays.fill(neededByByte, NEVER);
        for (int state = 0; state < needed.length; state++) {
            for (int i = from[state]; i < from[state + 1]; i++) {
                neededByByte[sources[i]] = Math.min(neededByByte[sources[i]], needed[state]);
            }
        }
    }

    private int[] predecessors() {
        int classes = automaton.classes();
        for (int state = 0; state < automaton.states(); state++) {
            for (int c = 0; c < classes; c++) {
                if (usable[c] && automaton.next(state, c) != Automaton.NO_STATE) {
                    from[automaton.next(state, c) + 1]++;
                }
            }
        }
        for (int state = 0; state < automaton.states(); state++) {
            from[state + 1] += from[state];
        }
        int[] found = new int[from[automaton.states()]];
        int[] fill = from.clone();
        for (int state = 0; state < automaton.states(); state++) {
            for (int c = 0; c < classes; c++) {
                if (usable[c] && automaton.next(state, c) != Automaton.NO_STATE) {
                    found[fill[automaton.next(state, c)]++] = state;
                }
            }
        }
        return found;
    }

    /** Finds all states that need {@code level}; whether there was any. */
    private boolean settle(int level) {
        BitSet open = new BitSet();
        Deque<Integer> work = new ArrayDeque<>();
        for (int state = 0; state < needed.length; state++) {
            if (needed[state] == NEVER && (automaton.accepts(state) || calls(state, level))) {
                note(state, level, work);
            }
            if (automaton.calls(state) > 0) {
                open.set(state);
            }
        }
        boolean any = !work.isEmpty();
        boolean grew = true;
        while (grew) {
            for (Integer state = work.poll(); state != null; state = work.poll()) {
                for (int i = from[state]; i < from[state + 1]; i++) {
                    if (needed[sources[i]] == NEVER) {
                        note(sources[i], level, work);
                    }
                }
            }
            // Descending: what follows a call was mostly numbered after it.
            for (int state = open.length() - 1; state >= 0; state = open.previousSetBit(state - 1)) {
                if (needed[state] != NEVER) {
                    open.clear(state);
                } else if (calls(state, level)) {
                    note(state, level, work);
                }
            }
            grew = !work.isEmpty();
        }
        return any;
    }

    private void note(int state, int level, Deque<Integer> work) {
        needed[state] = level;
        work.add(state);
    }

    /** Whether some call of a state can be made with {@code level} calls left, and its rule then ended. */
    private boolean calls(int state, int level) {
        for (int call = 0; call < automaton.calls(state); call++) {
            int start = automaton.called(state, call);
            int own = automaton.isLast(state, call) ? 0 : 1;
            if (start != Automaton.NO_STATE
                    && needed[start] + own <= level
                    && needed[automaton.after(state, call)] <= level) {
                return true;
            }
        }
        return false;
    }
}
