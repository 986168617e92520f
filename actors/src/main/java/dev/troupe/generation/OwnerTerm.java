package dev.troupe.generation;

import java.util.Comparator;

/**
 * One reign over the log of a generation, as an ordered ballot: whoever takes a log over does so with a higher one, and holders
 * of the log refuse the lower ones. No two nodes ever make the same.
 *
 * @param round counts up
 * @param node the incarnation (member uid) of the owner's node
 */
public record OwnerTerm(long round, long node) implements Comparable<OwnerTerm> {
    private static final Comparator<OwnerTerm> ORDER =
            Comparator.comparingLong(OwnerTerm::round).thenComparing(OwnerTerm::node, Long::compareUnsigned);

    /** Below all others. */
    public static final OwnerTerm NONE = new OwnerTerm(0, 0);

    /** The one of whoever begins a generation. */
    public static OwnerTerm first(long node) {
        return new OwnerTerm(1, node);
    }

    /** The lowest one of {@code newNode} above this one. */
    public OwnerTerm next(long newNode) {
        return new OwnerTerm(round + 1, newNode);
    }

    @Override
    public int compareTo(OwnerTerm other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return "o" + round + "." + Long.toHexString(node);
    }
}
