package dev.troupe.text;

import java.util.List;
import java.util.Optional;

/**
 * Looks for stop strings in a text that comes in pieces: a fold over its characters, so that the outcome does not depend
 * on where the pieces end. Text that may become a stop string is held back. The first stop string to be complete wins
 * (of those that end at the same character the longest), and the text ends before it.
 */
public final class StopMatcher {
    private final List<String> stops;
    /** A proper prefix of some stop string, not given out yet. */
    private final StringBuilder held = new StringBuilder();

    private String matched = "";

    /**
     * @param stops what ends the text; may be empty
     * @throws IllegalArgumentException if one of them is the empty string
     */
    public StopMatcher(List<String> stops) {
        this.stops = List.copyOf(stops);
        if (this.stops.contains("")) {
            throw new IllegalArgumentException(
                    "stop=%s holds an empty string, which would end every text".formatted(stops));
        }
    }

    /**
     * Takes the next piece of the text.
     *
     * @return what can be given out now; nothing once a stop string is complete
     */
    public String append(String piece) {
        StringBuilder free = new StringBuilder();
        for (int i = 0; i < piece.length() && matched.isEmpty(); i++) {
            held.append(piece.charAt(i));
            matched = complete();
            int settled = held.length() - (matched.isEmpty() ? longestHope() : matched.length());
            free.append(held, 0, settled);
            held.delete(0, settled);
        }
        return free.toString();
    }

    /** Ends the text: what was held back, unless a stop string is complete. */
    public String finish() {
        String rest = matched.isEmpty() ? held.toString() : "";
        held.setLength(0);
        return rest;
    }

    /** The stop string that ended the text, if one did. */
    public Optional<String> matched() {
        return matched.isEmpty() ? Optional.empty() : Optional.of(matched);
    }

    private String complete() {
        String longest = "";
        for (String stop : stops) {
            if (stop.length() > longest.length() && endsWith(stop, stop.length())) {
                longest = stop;
            }
        }
        return longest;
    }

    /** Length of the longest end of the held text that some stop string begins with. */
    private int longestHope() {
        int longest = 0;
        for (String stop : stops) {
            for (int length = Math.min(stop.length() - 1, held.length()); length > longest; length--) {
                if (endsWith(stop, length)) {
                    longest = length;
                }
            }
        }
        return longest;
    }

    /** Whether the held text ends with the first {@code length} characters of {@code stop}. */
    private boolean endsWith(String stop, int length) {
        int from = held.length() - length;
        if (from < 0) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (held.charAt(from + i) != stop.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
