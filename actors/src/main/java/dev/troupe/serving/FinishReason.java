package dev.troupe.serving;

/** Why a choice of a generation ended. */
public enum FinishReason {
    /** A stop token was drawn, or the consumer found a stop string. */
    STOP,
    /** The most tokens that the request allows are there. */
    LENGTH,
    /** The client wanted no more. */
    CANCELLED,
    /** It could not go on; the generation's failure says why. */
    ERROR
}
