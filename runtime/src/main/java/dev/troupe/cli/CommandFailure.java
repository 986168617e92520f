package dev.troupe.cli;

/** A command cannot do what was asked; its message is the one sentence that the user sees. */
final class CommandFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CommandFailure(String message) {
        super(message);
    }
}
