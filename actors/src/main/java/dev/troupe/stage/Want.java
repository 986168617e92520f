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
        HIDDEN,
        /**
         * The mean of the hidden states after the final norm of the prompt's tokens up to this one. The sequence's
         * {@link SequenceStart} must say that means are wanted, and its first step must compute its first token.
         */
        MEAN,
        /**
         * How probable the prompt token after this one was, and the most probable tokens in its place, as many as the sequence's
         * parameters ask for; after the last prompt token only these.
         */
        SCORE
    }
}
