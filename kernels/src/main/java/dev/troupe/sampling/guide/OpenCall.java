package dev.troupe.sampling.guide;

import org.jspecify.annotations.Nullable;

/** A call that has not ended: a stack that shares what lies below. Equal by value, whichever way it came to be. */
final class OpenCall {
    private final @Nullable OpenCall below;
    private final int after;
    private final int open;
    private final boolean rests;
    private final int hash;

    /**
     * @param below the call within which this one was made
     * @param after the state to go on at
     * @param rests whether all of it can be ended by single-byte tokens
     */
    OpenCall(@Nullable OpenCall below, int after, boolean rests) {
        this.below = below;
        this.after = after;
        this.open = open(below) + 1;
        this.rests = rests;
        this.hash = 31 * (below == null ? 7 : below.hash) + after;
    }

    /** Number of open calls. */
    static int open(@Nullable OpenCall top) {
        return top == null ? 0 : top.open;
    }

    static boolean rests(@Nullable OpenCall top) {
        return top == null || top.rests;
    }

    @Nullable
    OpenCall below() {
        return below;
    }

    int after() {
        return after;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        if (!(other instanceof OpenCall that) || hash != that.hash || open != that.open) {
            return false;
        }
        OpenCall one = this;
        OpenCall two = that;
        while (one != two) {
            if (one == null || two == null || one.after != two.after) {
                return false;
            }
            one = one.below;
            two = two.below;
        }
        return true;
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
