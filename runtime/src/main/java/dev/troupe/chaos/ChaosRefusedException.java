package dev.troupe.chaos;

/** A node does not inject faults, or did not answer; the message says which and what to do. */
public final class ChaosRefusedException extends Exception {
    private static final long serialVersionUID = 1;

    ChaosRefusedException(String message) {
        super(message);
    }
}
