package dev.troupe.text.template.value;

import dev.troupe.text.template.limit.Budget;
import java.util.List;

/**
 * A text that was declared {@code safe} for HTML. Templates are rendered without escaping, but what is added to such a text
 * is escaped all the same, and the sum is safe again.
 */
public record Markup(String text) {
    private static final int LONGEST_ESCAPE = 5;

    /** The plain text of a marked one; anything else as it is. */
    public static Object plain(Object value) {
        return value instanceof Markup(String text) ? text : value;
    }

    /** The same as markup if it is a text, or a list or tuple of texts. */
    public static Object marked(Object value) {
        return switch (value) {
            case String text -> new Markup(text);
            case Tuple(List<Object> elements) ->
                new Tuple(elements.stream().map(Markup::marked).toList());
            case List<?> list -> list.stream().map(Markup::marked).toList();
            default -> value;
        };
    }

    /** A text with entities for what means something in HTML. */
    public static Markup escaped(String text, Budget budget) {
        budget.text((long) LONGEST_ESCAPE * text.length());
        return new Markup(text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
                .replace("\"", "&#34;"));
    }

    /** Texts are escaped; markup is as it is, and so is what is no text. */
    public static Object escapedText(Object value, Budget budget) {
        return value instanceof String text ? escaped(text, budget).text() : plain(value);
    }
}
