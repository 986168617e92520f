package dev.troupe.client;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;

/**
 * The front ends of a cluster that a client knows of: those it was told at first, and those that front ends have told it since.
 * Used from any thread.
 */
final class FrontEnds {
    private final List<String> given;
    private List<String> known;
    private String current;

    /**
     * @param given {@code host:port}, at least one, the best first
     * @throws IllegalArgumentException if there is none
     */
    FrontEnds(List<String> given) {
        if (given.isEmpty() || given.stream().anyMatch(String::isBlank)) {
            throw new IllegalArgumentException(
                    "front ends %s, expected HOST:PORT or several with commas between".formatted(given));
        }
        this.given = List.copyOf(given);
        this.known = this.given;
        this.current = given.getFirst();
    }

    /** Reads {@code HOST:PORT[,HOST:PORT]}. */
    static FrontEnds parse(String text) {
        return new FrontEnds(
                List.of(text.split(",", -1)).stream().map(String::strip).toList());
    }

    /** The one to talk to. */
    synchronized String current() {
        return current;
    }

    /** How many are known. */
    synchronized int count() {
        return known.size();
    }

    /** A front end has told which ones there are now; the ones given at first stay known. */
    synchronized void learn(List<String> now) {
        LinkedHashSet<String> all = new LinkedHashSet<>(given);
        all.addAll(now);
        all.add(current);
        known = List.copyOf(all);
    }

    /** {@code failed} does not answer: the one to talk to is the one after it. */
    synchronized String after(String failed) {
        if (current.equals(failed)) {
            List<String> round = new ArrayList<>(known);
            current = round.get((round.indexOf(failed) + 1) % round.size());
        }
        return current;
    }

    @Override
    public synchronized String toString() {
        return String.join(",", known);
    }
}
