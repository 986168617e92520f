package dev.troupe.sampling.guide.source;

import com.fasterxml.jackson.databind.node.TextNode;
import dev.troupe.sampling.guide.automaton.Expr;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * JSON (RFC 8259) as a guide writes it. White space is one space at most, after a colon or a comma. Integers have at most
 * 18 digits (they fit a long), fractions 17, exponents 2: a number ends.
 */
final class JsonText {
    private static final CodePoints ESCAPED = CodePoints.range(0, 0x1f).or(CodePoints.of('"', '\\'));
    private static final Map<Integer, String> SHORT_ESCAPES = Map.of(
            (int) '"', "\\\"", (int) '\\', "\\\\", 0x08, "\\b", 0x0c, "\\f", 0x0a, "\\n", 0x0d, "\\r", 0x09, "\\t");

    static final Expr SPACE = Expr.optional(Expr.literal(" "));
    static final Expr COMMA = Expr.sequence(Expr.literal(","), SPACE);
    static final Expr COLON = Expr.sequence(Expr.literal(":"), SPACE);
    static final Expr QUOTE = Expr.literal("\"");
    static final Expr INTEGER = ascii("-?(0|[1-9][0-9]{0,17})");
    static final Expr NUMBER = ascii("-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?");

    /** One character of a string, in any of its forms; half a surrogate pair is none. */
    static final Expr CHARACTER = Expr.choice(
            Utf8.oneOf(ESCAPED.not()),
            ascii("\\\\([\"\\\\/bfnrt]|u([0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}"
                    + "|[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}))"));

    static final Expr STRING = Expr.sequence(QUOTE, new Expr.Repeat(CHARACTER, 0, Expr.Repeat.UNBOUNDED), QUOTE);

    private JsonText() {}

    private static Expr ascii(String pattern) {
        return RegexParser.parse(pattern, Utf8::oneOf, false);
    }

    /** A text as a JSON string, in its shortest form. */
    static Expr quoted(String text) {
        return Expr.literal(TextNode.valueOf(text).toString());
    }

    /** One code point of a set, within a string, in its shortest form. */
    static Expr oneOf(CodePoints set) {
        List<Expr> options = new ArrayList<>();
        options.add(Utf8.oneOf(set.without(ESCAPED)));
        for (CodePoints.Range range : set.and(ESCAPED).ranges()) {
            for (int point = range.least(); point <= range.most(); point++) {
                options.add(Expr.literal(SHORT_ESCAPES.getOrDefault(point, "\\u%04x".formatted(point))));
            }
        }
        return new Expr.Choice(options);
    }

    /** Strings without escapes, other than these: what a further key of an object may be. */
    static Expr stringExcept(Collection<String> texts) {
        List<int[]> suffixes =
                texts.stream().map(text -> text.codePoints().toArray()).toList();
        return Expr.sequence(QUOTE, except(suffixes, 0), QUOTE);
    }

    /** What may follow {@code length} code points that all of these texts have in common. */
    private static Expr except(List<int[]> texts, int length) {
        Map<Integer, List<int[]>> byNext = texts.stream()
                .filter(text -> text.length > length)
                .collect(Collectors.groupingBy(text -> text[length], TreeMap::new, Collectors.toList()));
        CodePoints known = CodePoints.of(
                byNext.keySet().stream().mapToInt(Integer::intValue).toArray());
        Expr rest = new Expr.Repeat(Utf8.oneOf(ESCAPED.not()), 0, Expr.Repeat.UNBOUNDED);
        List<Expr> options = new ArrayList<>();
        options.add(Expr.sequence(Utf8.oneOf(ESCAPED.not().without(known)), rest));
        byNext.forEach((next, longer) -> options.add(
                Expr.sequence(Utf8.oneOf(CodePoints.of(next).without(ESCAPED)), except(longer, length + 1))));
        if (texts.stream().noneMatch(text -> text.length == length)) {
            options.add(Expr.EMPTY);
        }
        return new Expr.Choice(options);
    }
}
