package dev.troupe.stage;

/**
 * What is wanted after one token of a step entry.
 *
 * @param offset index into the entry's tokens
 * @param kind what to return
 */
public record Want(int offset, Kind kind) {
    /** Kinds of answers. */
    public enum Kind {
        /** The next token, drawn by the sequence's sampling parameters, with the log-probabilities they ask for. */
        TOKEN,
        /** The whole row of logits. */
        ROW,
        /** The hidden state after the final norm. */
        HIDDEN
    }
}
