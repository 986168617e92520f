package dev.troupe.text.tools;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The JSON object of one call, read character by character. Until its name is known and its arguments have begun it may turn out
 * to be no call; from then on it is one, whatever follows, and what the model writes as arguments is passed on as it is.
 */
final class CallObject {
    private static final Set<String> KEYS = Set.of("name", "arguments", "parameters", "type", "id");
    private static final int LONGEST_NAME = 64;

    private enum Place {
        BEFORE_OBJECT,
        BEFORE_KEY,
        KEY,
        COLON,
        BEFORE_VALUE,
        NAME,
        ARGUMENTS,
        OTHER_TEXT,
        AFTER_VALUE,
        REST,
        CLOSED,
        NO_CALL
    }

    private final @Nullable Set<String> names;
    private final StringBuilder key = new StringBuilder();
    private final StringBuilder name = new StringBuilder();
    private final StringBuilder arguments = new StringBuilder();
    private Place place = Place.BEFORE_OBJECT;
    private boolean named;
    private boolean hasArguments;
    private int depth;
    private boolean inText;
    private boolean escaped;

    /** @param names that a call may have, or null for any: then arguments may be missing */
    CallObject(@Nullable Set<String> names) {
        this.names = names;
    }

    /** Whether it cannot be a call; then it has never been {@link #isCall}. */
    boolean isNoCall() {
        return place == Place.NO_CALL;
    }

    /** Whether it is one. */
    boolean isCall() {
        return named && hasArguments && !isNoCall();
    }

    /** Whether it has ended. */
    boolean isClosed() {
        return place == Place.CLOSED;
    }

    String name() {
        return name.toString();
    }

    /** The text of arguments that has come since this was asked for last. */
    String takeArguments() {
        String text = arguments.toString();
        arguments.setLength(0);
        return text;
    }

    /** Takes the next character. */
    void take(char c) {
        boolean space = Character.isWhitespace(c);
        switch (place) {
            case BEFORE_OBJECT -> expect(space, c == '{', Place.BEFORE_KEY);
            case BEFORE_KEY -> {
                key.setLength(0);
                if (c == '}') {
                    close();
                } else {
                    expect(space, c == '"', Place.KEY);
                }
            }
            case KEY -> key(c);
            case COLON -> expect(space, c == ':', Place.BEFORE_VALUE);
            case BEFORE_VALUE -> value(c, space);
            case NAME -> name(c);
            case ARGUMENTS -> {
                arguments.append(c);
                if (nests(c) && depth == 0) {
                    place = named ? Place.REST : Place.AFTER_VALUE;
                }
            }
            case OTHER_TEXT -> {
                if (nests(c) && !inText) {
                    place = Place.AFTER_VALUE;
                }
            }
            case AFTER_VALUE -> {
                if (c == '}') {
                    close();
                } else {
                    expect(space, c == ',', Place.BEFORE_KEY);
                }
            }
            case REST -> {
                if (nests(c) && depth < 0) {
                    place = Place.CLOSED;
                }
            }
            case CLOSED, NO_CALL -> throw new IllegalStateException("the object has ended, at " + place);
        }
    }

    private void expect(boolean space, boolean expected, Place next) {
        if (!space) {
            place = expected ? next : Place.NO_CALL;
        }
    }

    private void key(char c) {
        if (c == '"') {
            place = KEYS.contains(key.toString()) ? Place.COLON : Place.NO_CALL;
            return;
        }
        key.append(c);
        if (KEYS.stream().noneMatch(known -> known.startsWith(key.toString()))) {
            place = Place.NO_CALL;
        }
    }

    private void value(char c, boolean space) {
        depth = 0;
        inText = false;
        switch (key.toString()) {
            case "name" -> expect(space, c == '"' && !named, Place.NAME);
            case "arguments", "parameters" -> {
                expect(space, c == '{' && !hasArguments, Place.ARGUMENTS);
                if (place == Place.ARGUMENTS) {
                    hasArguments = true;
                    arguments.append(c);
                    nests(c);
                }
            }
            default -> {
                expect(space, c == '"', Place.OTHER_TEXT);
                if (place == Place.OTHER_TEXT) {
                    nests(c);
                }
            }
        }
    }

    private void name(char c) {
        if (c != '"') {
            name.append(c);
            boolean fits = c > ' ' && c != '\\' && name.length() <= LONGEST_NAME && begins();
            place = fits ? Place.NAME : Place.NO_CALL;
        } else if (name.isEmpty() || (names != null && !names.contains(name()))) {
            place = Place.NO_CALL;
        } else {
            named = true;
            depth = 0;
            inText = false;
            place = hasArguments ? Place.REST : Place.AFTER_VALUE;
        }
    }

    private boolean begins() {
        return names == null || names.stream().anyMatch(known -> known.startsWith(name()));
    }

    private void close() {
        if (named && !hasArguments && names == null) {
            hasArguments = true;
            arguments.append("{}");
        }
        place = isCall() ? Place.CLOSED : Place.NO_CALL;
    }

    /** Follows texts and brackets; whether {@code c} may have ended one. */
    private boolean nests(char c) {
        if (inText) {
            boolean ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            inText = !ends;
            return ends;
        }
        switch (c) {
            case '"' -> {
                inText = true;
                escaped = false;
            }
            case '{', '[' -> depth++;
            case '}', ']' -> {
                depth--;
                return true;
            }
            default -> {}
        }
        return false;
    }
}
