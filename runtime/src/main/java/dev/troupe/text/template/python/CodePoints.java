package dev.troupe.text.template.python;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/** Texts as Python sees them: rows of code points, where Java has one or two chars for each. */
public final class CodePoints {
    private CodePoints() {}

    public static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    /** Code points {@code from} to {@code to}, which are in range. */
    public static String part(String text, int from, int to) {
        int begin = text.offsetByCodePoints(0, from);
        return text.substring(begin, text.offsetByCodePoints(begin, to - from));
    }

    /** A text for each code point. */
    public static List<Object> each(String text) {
        List<Object> each = new ArrayList<>(text.length());
        int next;
        for (int i = 0; i < text.length(); i = next) {
            next = i + Character.charCount(text.codePointAt(i));
            each.add(text.substring(i, next));
        }
        return each;
    }

    /** What Python's {@code str.isspace} says. */
    public static boolean isSpace(int codePoint) {
        return Character.isWhitespace(codePoint) || Character.isSpaceChar(codePoint) || codePoint == 0x85;
    }

    /** The text without what {@code isAway} at its ends. */
    public static String strip(String text, IntPredicate isAway, boolean left, boolean right) {
        int from = 0;
        int to = text.length();
        while (left && from < to && isAway.test(text.codePointAt(from))) {
            from += Character.charCount(text.codePointAt(from));
        }
        while (right && from < to && isAway.test(text.codePointBefore(to))) {
            to -= Character.charCount(text.codePointBefore(to));
        }
        return text.substring(from, to);
    }
}
