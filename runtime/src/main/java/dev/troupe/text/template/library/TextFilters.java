package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.operation.PercentFormat;
import dev.troupe.text.template.python.CodePoints;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.python.TextParts;
import dev.troupe.text.template.python.TextParts.Side;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Tuple;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Filters that make texts of texts; other values are printed first. */
final class TextFilters {
    private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern TITLE_WORD = Pattern.compile("[^-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);

    private TextFilters() {}

    static void addTo(Map<String, Filter> filters) {
        filters.put("upper", (value, arguments, run) -> made(value, run).toUpperCase(Locale.ROOT));
        filters.put("lower", (value, arguments, run) -> made(value, run).toLowerCase(Locale.ROOT));
        filters.put("capitalize", (value, arguments, run) -> TextParts.capitalize(made(value, run)));
        filters.put("title", (value, arguments, run) -> title(made(value, run)));
        filters.put("string", (value, arguments, run) -> Text.str(value, run.budget()));
        filters.put("safe", (value, arguments, run) -> new Markup(Text.str(value, run.budget())));
        filters.put(
                "trim",
                (value, arguments, run) -> TextMethods.strip(
                        Text.str(value, run.budget()),
                        arguments.bind("trim", "chars").get("chars", None.NONE),
                        true,
                        true,
                        run.budget()));
        filters.put(
                "center",
                (value, arguments, run) -> TextParts.padded(
                        Text.str(value, run.budget()),
                        arguments.bind("center", "width").integer("width", 80),
                        " ",
                        Side.BOTH,
                        run.budget()));
        filters.put("replace", TextFilters::replace);
        filters.put("indent", TextFilters::indent);
        filters.put("truncate", TextFilters::truncate);
        filters.put("format", TextFilters::format);
        filters.put(
                "wordcount",
                (value, arguments, run) ->
                        WORD.matcher(made(value, run)).results().count());
        filters.put("urlencode", TextFilters::urlEncode);
        for (String name : List.of("e", "escape", "forceescape")) {
            filters.put(name, (value, arguments, run) -> Markup.escaped(Text.str(value, run.budget()), run.budget()));
        }
    }

    private static String made(Object value, Run run) {
        String text = Text.str(value, run.budget());
        run.budget().text(text.length());
        return text;
    }

    private static Object replace(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("replace", "old", "new", "count");
        int count = bound.get("count", None.NONE) == None.NONE ? -1 : bound.integer("count", -1);
        return TextParts.replace(
                Text.str(value, run.budget()),
                Text.str(bound.required("old"), run.budget()),
                Text.str(bound.required("new"), run.budget()),
                count,
                run.budget());
    }

    private static Object indent(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("indent", "width", "first", "blank");
        String indent = bound.get("width", 4L) instanceof String text
                ? text
                : Sequences.repeated(" ", bound.integer("width", 4), run.budget());
        boolean first = ValueFilters.flag(bound, "first");
        boolean blank = ValueFilters.flag(bound, "blank");
        StringBuilder out = new StringBuilder();
        String[] lines = made(value, run).split("\r\n|\r|\n", -1);
        for (int i = 0; i < lines.length; i++) {
            boolean indented = i == 0 ? first : blank || !lines[i].isEmpty();
            run.budget().text(indent.length() + 1L);
            out.append(i == 0 ? "" : "\n").append(indented ? indent : "").append(lines[i]);
        }
        return out.toString();
    }

    private static Object truncate(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("truncate", "length", "killwords", "end", "leeway");
        String text = made(value, run);
        String end = bound.text("end", "...");
        int length = bound.integer("length", 255);
        int leeway = bound.get("leeway", None.NONE) == None.NONE ? 5 : bound.integer("leeway", 5);
        if (CodePoints.length(text) <= (long) length + leeway) {
            return text;
        }
        String kept = CodePoints.part(text, 0, Math.max(0, length - CodePoints.length(end)));
        int space = kept.lastIndexOf(' ');
        boolean whole = ValueFilters.flag(bound, "killwords") || space < 0;
        return (whole ? kept : kept.substring(0, space)) + end;
    }

    private static Object format(Object value, Arguments arguments, Run run) {
        Object values = new Tuple(arguments.positional());
        if (!arguments.named().isEmpty()) {
            Dict dict = new Dict();
            arguments.named().forEach((name, named) -> dict.put(name, named, run.budget()));
            values = dict;
        }
        return PercentFormat.format(Text.str(value, run.budget()), values, run.budget());
    }

    private static String title(String text) {
        StringBuilder out = new StringBuilder();
        Matcher words = TITLE_WORD.matcher(text);
        int at = 0;
        while (words.find()) {
            out.append(text, at, words.start()).append(TextParts.capitalize(words.group()));
            at = words.end();
        }
        return out.append(text, at, text.length()).toString();
    }

    private static Object urlEncode(Object value, Arguments arguments, Run run) {
        Budget budget = run.budget();
        boolean pairs = value instanceof Dict || Sequences.indexed(value) != null;
        if (!pairs) {
            return encoded(value, true, budget);
        }
        List<Object> items = value instanceof Dict dict ? dict.pairs(budget) : Sequences.elements(value, budget);
        StringBuilder out = new StringBuilder();
        for (Object item : items) {
            List<Object> pair = Sequences.elements(item, budget);
            out.append(out.isEmpty() ? "" : "&")
                    .append(encoded(pair.getFirst(), false, budget))
                    .append('=')
                    .append(encoded(pair.getLast(), false, budget));
        }
        return out.toString();
    }

    private static String encoded(Object value, boolean slashes, Budget budget) {
        String text = Text.str(value, budget);
        budget.text(3L * text.length());
        String encoded = URLEncoder.encode(text, StandardCharsets.UTF_8)
                .replace("*", "%2A")
                .replace("%7E", "~");
        return slashes ? encoded.replace("+", "%20").replace("%2F", "/") : encoded;
    }
}
