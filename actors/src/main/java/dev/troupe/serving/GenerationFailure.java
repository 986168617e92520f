package dev.troupe.serving;

/**
 * Why a generation ended without all of its tokens.
 *
 * @param kind what a client can do about it
 * @param reason for people: what failed with which values, what was expected, what to do
 */
public record GenerationFailure(Kind kind, String reason) {
    /** Kinds of failures, by what a client can do about them. */
    public enum Kind {
        /** The request can never be served as it is: change it. */
        INVALID,
        /** Too many requests: come back later. */
        OVERLOADED,
        /** No replica can serve now, and the reason says what is missing: come back later. */
        NO_CAPACITY,
        /** Computing this very request has cost nodes: change it, and tell us. */
        POISON,
        /** A node or its answer was lost on the way: send the request again. */
        LOST,
        /** The request's own time limit has passed. */
        DEADLINE,
        /** The generation is not, or no more, known here. */
        GONE,
        /** A newer subscriber has taken the stream over. */
        SUPERSEDED,
        /** The model gave a value that is not finite. */
        NOT_FINITE,
        /** A rule of the protocol was broken: a defect of ours. */
        DEFECT
    }

    /** Whether the generation may go on at another front end. */
    public boolean isElsewhere() {
        return kind == Kind.GONE || kind == Kind.SUPERSEDED;
    }
}
