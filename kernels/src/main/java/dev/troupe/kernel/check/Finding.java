package dev.troupe.kernel.check;

import org.jspecify.annotations.Nullable;

/**
 * What the check of one operation found.
 *
 * @param operation its name, with the type of weights or cache where that matters
 * @param cases compared
 * @param difference the first case with other bits than the plain loops have, with both, or why it ended; null if all bits are
 *     equal, or of fast products near enough
 * @param stopped whether it ended by an error, so that not all cases were compared
 */
public record Finding(String operation, int cases, @Nullable String difference, boolean stopped) {

    static Finding stopped(String operation, int cases, Throwable error) {
        return new Finding(operation, cases, "it ended by an error: " + error.getMessage(), true);
    }

    /** Whether all are as they must be. */
    public boolean ok() {
        return difference == null;
    }
}
