package dev.troupe.stage;

/** Why a rank is lost to its epoch. */
public enum LossCause {
    /** It cannot go on, or its node is gone. */
    RANK,
    /** A connection to it was lost: its node may be well. */
    CONNECTION,
    /** Its node has promised itself to a higher epoch: nothing is wrong with it. */
    SUPERSEDED
}
