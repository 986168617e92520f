package dev.troupe.sampling.guide.automaton;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;

/**
 * Rules over bytes, each a deterministic automaton whose states may also call rules, as in recursive transition networks
 * (Woods, "Transition network grammars for natural language analysis", 1970). Without calls it is a plain DFA. Immutable;
 * states of all rules are numbered in one sequence.
 */
public final class Automaton {
    /** Where a byte leads nowhere. */
    public static final int NO_STATE = -1;

    /** The most calls that may be open at once: what bounds recursion. */
    public static final int MOST_OPEN_CALLS = 64;

    private final int[] classOf;
    private final int classes;
    private final int[] next;
    private final int[][] calls;
    private final BitSet accepting = new BitSet();
    private final BitSet takesBytes = new BitSet();
    private final int[] starts;

    private Automaton(ByteClasses classes, Determiniser made, int[] starts) {
        this.classOf = classes.classOf();
        this.classes = classes.count();
        this.next = new int[made.states() * this.classes];
        this.calls = new int[made.states()][];
        this.starts = starts;
        for (int state = 0; state < calls.length; state++) {
            int[] row = made.next(state);
            System.arraycopy(row, 0, next, state * this.classes, row.length);
            calls[state] = made.calls(state);
            accepting.set(state, made.accepts(state));
            for (int target : row) {
                takesBytes.set(state, takesBytes.get(state) || target != NO_STATE);
            }
        }
    }

    /**
     * Compiles rules, of which the first is the whole language.
     *
     * @throws GuideException if they are too large, call each other in a circle without a byte between, or match no finite
     *     text within {@link #MOST_OPEN_CALLS}
     */
    public static Automaton of(List<Expr> rules) {
        Nfa nfa = new Nfa();
        int[] entries = rules.stream().mapToInt(nfa::rule).toArray();
        ByteClasses classes = new ByteClasses(nfa);
        Determiniser made = new Determiniser(nfa, classes);
        int[] starts = new int[entries.length];
        for (int rule = 0; rule < starts.length; rule++) {
            starts[rule] = made.rule(entries[rule]);
        }
        Automaton automaton = new Automaton(classes, made, starts);
        automaton.requireNoCircle();
        CallsNeeded needed = CallsNeeded.of(automaton, ByteSet.range(0, 255));
        if (starts[0] == NO_STATE || !needed.within(starts[0], 0)) {
            throw new GuideException(
                    "nothing satisfies the guide within %d nested calls of its rules".formatted(MOST_OPEN_CALLS));
        }
        return automaton;
    }

    /** Follows calls that are made, and states that are reached, before any byte: they must end. */
    private void requireNoCircle() {
        int[] pending = new int[calls.length];
        List<List<Integer>> before = new ArrayList<>();
        for (int state = 0; state < calls.length; state++) {
            before.add(new ArrayList<>());
        }
        for (int state = 0; state < calls.length; state++) {
            for (int i = 0; i < calls[state].length; i += 2) {
                int start = starts[calls[state][i]];
                if (start == NO_STATE) {
                    continue;
                }
                pending[state]++;
                before.get(start).add(state);
                if (accepting.get(start)) {
                    pending[state]++;
                    before.get(calls[state][i + 1]).add(state);
                }
            }
        }
        Deque<Integer> free = new ArrayDeque<>();
        for (int state = 0; state < pending.length; state++) {
            if (pending[state] == 0) {
                free.add(state);
            }
        }
        int done = 0;
        for (Integer state = free.poll(); state != null; state = free.poll()) {
            done++;
            for (int caller : before.get(state)) {
                if (--pending[caller] == 0) {
                    free.add(caller);
                }
            }
        }
        if (done != pending.length) {
            throw new GuideException("rules call each other in a circle without a byte between; in a schema, a $ref"
                    + " leads to itself");
        }
    }

    /** The first state of the whole language. */
    public int start() {
        return starts[0];
    }

    /** The first state of a rule, or {@link #NO_STATE} if it matches nothing. */
    public int start(int rule) {
        return starts[rule];
    }

    /** Number of states. */
    public int states() {
        return calls.length;
    }

    /** Number of classes of bytes that are told apart. */
    public int classes() {
        return classes;
    }

    /** The class of a byte value 0 to 255. */
    public int classOf(int value) {
        return classOf[value];
    }

    /** Where a byte of a class leads, or {@link #NO_STATE}. */
    public int next(int state, int byteClass) {
        return next[state * classes + byteClass];
    }

    /** Number of rules that may be called in a state. */
    public int calls(int state) {
        return calls[state].length / 2;
    }

    /** The first state of the rule of a call; may be {@link #NO_STATE}. */
    public int called(int state, int call) {
        return starts[calls[state][2 * call]];
    }

    /** The state after a call. */
    public int after(int state, int call) {
        return calls[state][2 * call + 1];
    }

    /** Whether nothing follows a call but the end of the rule that makes it: then it need not be remembered as open. */
    public boolean isLast(int state, int call) {
        int after = after(state, call);
        return accepting.get(after) && !takesBytes.get(after) && calls[after].length == 0;
    }

    /** Whether a rule may end in a state. */
    public boolean accepts(int state) {
        return accepting.get(state);
    }
}
