package dev.troupe.client;

import dev.troupe.serving.GenerationFailure;

/** A generation ended without all of its tokens; the message says what happened and what to do. */
public final class RequestFailedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final GenerationFailure.Kind kind;

    public RequestFailedException(GenerationFailure failure) {
        super(failure.reason());
        this.kind = failure.kind();
    }

    /** What a client can do about it. */
    public GenerationFailure.Kind kind() {
        return kind;
    }
}
