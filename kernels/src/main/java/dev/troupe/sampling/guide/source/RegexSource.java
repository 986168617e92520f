package dev.troupe.sampling.guide.source;

import dev.troupe.sampling.guide.automaton.GuideException;

/** The characters of a pattern, read one after the other; its errors name the position. */
final class RegexSource {
    private final String pattern;
    private int at;

    RegexSource(String pattern) {
        this.pattern = pattern;
    }

    boolean ended() {
        return at == pattern.length();
    }

    int position() {
        return at;
    }

    /** Whether the next characters are these. */
    boolean sees(String text) {
        return pattern.startsWith(text, at);
    }

    /** Takes these characters if they are next. */
    boolean takes(String text) {
        boolean there = sees(text);
        at += there ? text.length() : 0;
        return there;
    }

    /** Takes the next code point. */
    int take() {
        if (ended()) {
            throw error(at, "it ends in the middle of an expression");
        }
        int point = pattern.codePointAt(at);
        if (Character.getType(point) == Character.SURROGATE) {
            throw error(at, "half a surrogate pair is no character");
        }
        at += Character.charCount(point);
        return point;
    }

    /** Takes a decimal number, or gives −1 if there is none. */
    int number() {
        int from = at;
        long value = 0;
        while (!ended() && pattern.charAt(at) >= '0' && pattern.charAt(at) <= '9') {
            value = Math.min(Integer.MAX_VALUE, 10 * value + pattern.charAt(at++) - '0');
        }
        return at == from ? -1 : (int) value;
    }

    /** Takes {@code digits} hexadecimal digits. */
    int hex(int digits) {
        int from = at;
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = ended() ? -1 : Character.digit(pattern.charAt(at), 16);
            if (digit < 0 || pattern.charAt(at) > 'f') {
                throw error(from, "%d hexadecimal digits are expected".formatted(digits));
            }
            value = 16 * value + digit;
            at++;
        }
        return value;
    }

    GuideException error(int position, String what) {
        return new GuideException("regular expression, position %d: %s".formatted(position, what));
    }
}
