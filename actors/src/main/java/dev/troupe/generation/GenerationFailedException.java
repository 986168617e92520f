package dev.troupe.generation;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;

/** How a stream of a generation ends when the generation could not go on. */
public final class GenerationFailedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final transient GenerationFailure failure;

    GenerationFailedException(GenerationId id, GenerationFailure failure) {
        super("generation %s failed: %s".formatted(id, failure.reason()));
        this.failure = failure;
    }

    /** What happened, and what a client can do. */
    public GenerationFailure failure() {
        return failure;
    }
}
