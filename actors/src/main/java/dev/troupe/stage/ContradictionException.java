package dev.troupe.stage;

/** A message of the right epoch that cannot be true: it is refused and leaves everything as it was. */
final class ContradictionException extends RuntimeException {
    private static final long serialVersionUID = 1;

    ContradictionException(String message) {
        super(message);
    }
}
