package dev.troupe.sampling.guide.automaton;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Expressions as a graph of nodes (Thompson, "Regular expression search algorithm", 1968), built from the end: every
 * expression is given the node that follows it.
 */
final class Nfa {
    /** What a node does on the way to its successors. */
    enum Kind {
        /** Takes a byte of its set. */
        BYTES,
        /** Goes on at either successor, or at none. */
        SPLIT,
        /** Runs a rule. */
        CALL,
        /** The end of a rule. */
        END
    }

    static final int NONE = -1;
    static final int MOST_NODES = 200_000;

    private Kind[] kinds = new Kind[64];
    private int[] first = new int[64];
    private int[] second = new int[64];
    private @Nullable ByteSet[] sets = new ByteSet[64];
    private int size;

    /** Adds a rule's expression and returns its first node. */
    int rule(Expr expr) {
        return add(expr, node(Kind.END, NONE, NONE, null));
    }

    private int node(Kind kind, int one, int two, @Nullable ByteSet set) {
        if (size == MOST_NODES) {
            throw new GuideException(
                    "the guide is too large: written out it has more than %d parts; shorten its repetitions and lists"
                            .formatted(MOST_NODES));
        }
        if (size == kinds.length) {
            kinds = Arrays.copyOf(kinds, 2 * size);
            first = Arrays.copyOf(first, 2 * size);
            second = Arrays.copyOf(second, 2 * size);
            sets = Arrays.copyOf(sets, 2 * size);
        }
        kinds[size] = kind;
        first[size] = one;
        second[size] = two;
        sets[size] = set;
        return size++;
    }

    private int split(int one, int two) {
        return node(Kind.SPLIT, one, two, null);
    }

    /** Gives a split its first successor, which could only be made after it. */
    private void join(int split, int successor) {
        first[split] = successor;
    }

    private int add(Expr expr, int next) {
        return switch (expr) {
            case Expr.Bytes bytes -> node(Kind.BYTES, next, NONE, bytes.set());
            case Expr.Call call -> node(Kind.CALL, next, call.rule(), null);
            case Expr.Sequence sequence -> add(sequence, next);
            case Expr.Choice choice -> add(choice, next);
            case Expr.Repeat repeat -> add(repeat, next);
            case Expr.Members members -> add(members, next);
        };
    }

    private int add(Expr.Sequence sequence, int next) {
        int entry = next;
        for (Expr part : sequence.parts().reversed()) {
            entry = add(part, entry);
        }
        return entry;
    }

    private int add(Expr.Choice choice, int next) {
        if (choice.options().isEmpty()) {
            return split(NONE, NONE);
        }
        int entry = NONE;
        for (Expr option : choice.options().reversed()) {
            int one = add(option, next);
            entry = entry == NONE ? one : split(one, entry);
        }
        return entry;
    }

    private int add(Expr.Repeat repeat, int next) {
        int entry = next;
        if (repeat.most() == Expr.Repeat.UNBOUNDED) {
            entry = split(NONE, next);
            join(entry, add(repeat.body(), entry));
        } else {
            for (int i = repeat.least(); i < repeat.most(); i++) {
                entry = split(add(repeat.body(), entry), next);
            }
        }
        for (int i = 0; i < repeat.least(); i++) {
            entry = add(repeat.body(), entry);
        }
        return entry;
    }

    /** Two chains share the members: the one before any member was there, and the one that puts a separator first. */
    private int add(Expr.Members list, int next) {
        int fresh = next;
        int later = next;
        Expr more = list.more();
        if (more != null) {
            later = split(NONE, next);
            int body = add(more, later);
            join(later, add(list.separator(), body));
            fresh = split(body, next);
        }
        List<Expr.Member> members = list.members();
        for (Expr.Member member : members.reversed()) {
            int body = add(member.body(), later);
            int separated = add(list.separator(), body);
            fresh = member.required() ? body : split(body, fresh);
            later = member.required() ? separated : split(separated, later);
        }
        return fresh;
    }

    int size() {
        return size;
    }

    Kind kind(int node) {
        return kinds[node];
    }

    /** The node that follows; of a split, one of two, or {@link #NONE}. */
    int first(int node) {
        return first[node];
    }

    /** The second successor of a split. */
    int second(int node) {
        return second[node];
    }

    /** The rule that a call runs. */
    int rule(int node) {
        return second[node];
    }

    /** The bytes that a node of kind BYTES takes, else null. */
    @Nullable
    ByteSet set(int node) {
        return sets[node];
    }
}
