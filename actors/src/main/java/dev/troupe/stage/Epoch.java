package dev.troupe.stage;

import java.util.Comparator;

/**
 * One agreed membership of a replica, as an ordered ballot (Lamport 1998, "The Part-Time Parliament"): a higher one
 * always wins, no two issuers ever make the same, and no issuer makes the same for two replicas, so that what is known by
 * its epoch (shards, frames on a lane) needs no name of a replica beside it.
 *
 * @param round counts up
 * @param issuer the incarnation (member uid) of the node whose scheduler issued it
 */
public record Epoch(long round, long issuer) implements Comparable<Epoch> {
    /** Below every epoch that is ever issued. */
    public static final Epoch NONE = new Epoch(0, 0);

    private static final Comparator<Epoch> ORDER =
            Comparator.comparingLong(Epoch::round).thenComparing(Epoch::issuer, Long::compareUnsigned);

    /** The lowest epoch of {@code issuer} above this one. */
    public Epoch next(long newIssuer) {
        return new Epoch(round + 1, newIssuer);
    }

    @Override
    public int compareTo(Epoch other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return "e" + round + "." + Long.toHexString(issuer);
    }
}
