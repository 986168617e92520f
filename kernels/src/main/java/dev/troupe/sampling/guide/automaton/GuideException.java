package dev.troupe.sampling.guide.automaton;

import java.io.Serial;

/** A guide that cannot be followed: malformed, unsupported, satisfied by nothing, or beyond a limit that is named. */
public final class GuideException extends IllegalArgumentException {
    @Serial
    private static final long serialVersionUID = 1;

    public GuideException(String message) {
        super(message);
    }

    public GuideException(String message, Throwable cause) {
        super(message, cause);
    }
}
