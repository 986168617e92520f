package dev.troupe.plan;

/** A model cannot be spread as asked; the message names the rule, the numbers and what works. */
public final class UnplannableException extends Exception {
    private static final long serialVersionUID = 1L;

    public UnplannableException(String message) {
        super(message);
    }
}
