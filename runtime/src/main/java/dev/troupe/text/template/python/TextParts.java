package dev.troupe.text.template.python;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** What Python's text methods do that Java's do in another way, or not within a budget. */
public final class TextParts {
    private TextParts() {}

    /** The first {@code count} places of {@code old} replaced; a negative count is all of them. */
    public static String replace(String text, String old, String by, long count, Budget budget) {
        budget.search(text.length(), old.length());
        long most = count < 0 ? Long.MAX_VALUE : count;
        long found = Math.min(most, old.isEmpty() ? CodePoints.length(text) + 1L : count(text, old, budget));
        if (found == 0) {
            return text;
        }
        budget.text(text.length() + found * Math.max(0, by.length() - old.length()));
        StringBuilder out = new StringBuilder();
        int at = 0;
        for (long i = 0; i < found; i++) {
            int next = old.isEmpty() && i > 0 ? text.offsetByCodePoints(at, 1) : text.indexOf(old, at);
            out.append(text, at, next).append(by);
            at = next + old.length();
        }
        return out.append(text, at, text.length()).toString();
    }

    /** How often {@code part}, which is not empty, is in the text, without overlaps. */
    public static long count(String text, String part, Budget budget) {
        budget.search(text.length(), part.length());
        long count = 0;
        for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
            count++;
        }
        return count;
    }

    /** Parts between white space, at most {@code most} cuts; a negative number is no bound. */
    public static List<Object> words(String text, int most, boolean fromRight, Budget budget) {
        budget.text(text.length());
        List<Object> words = new ArrayList<>();
        int from = moved(text, 0, text.length(), true);
        int to = movedBack(text, from, text.length(), true);
        while (from < to) {
            budget.list(1);
            boolean rest = words.size() == most;
            if (fromRight) {
                int begin = rest ? 0 : movedBack(text, from, to, false);
                words.add(text.substring(begin, to));
                to = movedBack(text, from, begin, true);
            } else {
                int end = rest ? to : moved(text, from, to, false);
                words.add(rest ? text.substring(from) : text.substring(from, end));
                from = moved(text, end, to, true);
            }
        }
        if (fromRight) {
            Collections.reverse(words);
        }
        return words;
    }

    /** The first place from {@code from} on at which there is no white space, or no other character. */
    private static int moved(String text, int from, int to, boolean space) {
        int at = from;
        while (at < to && CodePoints.isSpace(text.charAt(at)) == space) {
            at++;
        }
        return at;
    }

    /** The same from {@code to} towards the left. */
    private static int movedBack(String text, int from, int to, boolean space) {
        int at = to;
        while (at > from && CodePoints.isSpace(text.charAt(at - 1)) == space) {
            at--;
        }
        return at;
    }

    /** Parts between {@code separator}, at most {@code most} cuts; a negative number is no bound. */
    public static List<Object> split(String text, String separator, int most, boolean fromRight, Budget budget) {
        if (separator.isEmpty()) {
            throw new TemplateException.Failed("empty separator");
        }
        budget.text(text.length());
        budget.search(text.length(), separator.length());
        List<Object> parts = new ArrayList<>();
        int from = 0;
        int to = text.length();
        int cut = fromRight ? text.lastIndexOf(separator) : text.indexOf(separator);
        while (cut >= 0 && parts.size() != most) {
            budget.list(1);
            if (fromRight) {
                parts.add(text.substring(cut + separator.length(), to));
                to = cut;
                cut = cut < separator.length() ? -1 : text.lastIndexOf(separator, cut - separator.length());
            } else {
                parts.add(text.substring(from, cut));
                from = cut + separator.length();
                cut = text.indexOf(separator, from);
            }
        }
        parts.add(text.substring(from, to));
        if (fromRight) {
            Collections.reverse(parts);
        }
        return parts;
    }

    /** Lines, with or without what ends them. */
    public static List<Object> lines(String text, boolean keepEnds, Budget budget) {
        budget.text(text.length());
        List<Object> lines = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < text.length(); i++) {
            if ("\n\r\u000b\f\u001c\u001d\u001e\u0085\u2028\u2029".indexOf(text.charAt(i)) < 0) {
                continue;
            }
            budget.list(1);
            int next = text.startsWith("\r\n", i) ? i + 2 : i + 1;
            lines.add(text.substring(from, keepEnds ? next : i));
            from = next;
            i = next - 1;
        }
        if (from < text.length()) {
            lines.add(text.substring(from));
        }
        return lines;
    }

    /** The first letter large, all others small. */
    public static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        return text.substring(0, first).toUpperCase(Locale.ROOT)
                + text.substring(first).toLowerCase(Locale.ROOT);
    }

    /** Each letter large that follows none, all others small. */
    public static String title(String text) {
        StringBuilder out = new StringBuilder();
        boolean inWord = false;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            String one = Character.toString(c);
            out.append(inWord ? one.toLowerCase(Locale.ROOT) : Character.toString(Character.toTitleCase(c)));
            inWord = Character.isLetter(c);
            i += Character.charCount(c);
        }
        return out.toString();
    }

    /** Large letters small and small ones large. */
    public static String swapCase(String text) {
        StringBuilder out = new StringBuilder();
        text.codePoints().forEach(c -> {
            String one = Character.toString(c);
            out.append(Character.isUpperCase(c) ? one.toLowerCase(Locale.ROOT) : one.toUpperCase(Locale.ROOT));
        });
        return out.toString();
    }

    /** The text with {@code fill} at its sides, up to {@code width}.. */
    public static String padded(String text, long width, String fill, Side side, Budget budget) {
        long missing = width - CodePoints.length(text);
        if (missing <= 0) {
            return text;
        }
        budget.text(width);
        long left = switch (side) {
            case LEFT -> missing;
            case RIGHT -> 0;
            case BOTH -> missing / 2 + (missing & width & 1);
        };
        return fill.repeat((int) left) + text + fill.repeat((int) (missing - left));
    }

    /** Where padding goes. */
    public enum Side {
        LEFT,
        RIGHT,
        BOTH
    }
}
