package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.operation.BraceFormat;
import dev.troupe.text.template.python.CodePoints;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.python.Slices;
import dev.troupe.text.template.python.TextParts;
import dev.troupe.text.template.python.TextParts.Side;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of texts. */
final class TextMethods {
    private final String text;
    private final Budget budget;

    private TextMethods(String text, Budget budget) {
        this.text = text;
        this.budget = budget;
    }

    /** Null if texts have no such method. */
    static @Nullable Callable of(String text, String name, Run run) {
        TextMethods methods = new TextMethods(text, run.budget());
        Callable method = methods.cutting(name);
        method = method == null ? methods.changing(name) : method;
        return method == null ? methods.asking(name) : method;
    }

    private @Nullable Callable cutting(String name) {
        return switch (name) {
            case "strip" -> arguments -> strip(name, arguments, true, true);
            case "lstrip" -> arguments -> strip(name, arguments, true, false);
            case "rstrip" -> arguments -> strip(name, arguments, false, true);
            case "split" -> arguments -> split(name, arguments, false);
            case "rsplit" -> arguments -> split(name, arguments, true);
            case "splitlines" ->
                arguments ->
                        TextParts.lines(text, ValueFilters.flag(arguments.bind(name, "keepends"), "keepends"), budget);
            case "partition" -> arguments -> partition(arguments, text.indexOf(one(name, arguments)), false);
            case "rpartition" -> arguments -> partition(arguments, text.lastIndexOf(one(name, arguments)), true);
            case "removeprefix" ->
                arguments -> {
                    String prefix = one(name, arguments);
                    return text.startsWith(prefix) ? made(text.substring(prefix.length())) : text;
                };
            case "removesuffix" ->
                arguments -> {
                    String suffix = one(name, arguments);
                    return text.endsWith(suffix) ? made(text.substring(0, text.length() - suffix.length())) : text;
                };
            default -> null;
        };
    }

    private @Nullable Callable changing(String name) {
        return switch (name) {
            case "upper" -> arguments -> made(text).toUpperCase(Locale.ROOT);
            case "lower", "casefold" -> arguments -> made(text).toLowerCase(Locale.ROOT);
            case "title" -> arguments -> TextParts.title(made(text));
            case "capitalize" -> arguments -> TextParts.capitalize(made(text));
            case "swapcase" -> arguments -> TextParts.swapCase(made(text));
            case "replace" ->
                arguments -> {
                    var bound = arguments.bind(name, "old", "new", "count");
                    bound.required("new");
                    return TextParts.replace(
                            text, bound.text("old", ""), bound.text("new", ""), bound.integer("count", -1), budget);
                };
            case "join" -> arguments -> join(arguments.bind(name, "elements").required("elements"));
            case "format" -> arguments -> BraceFormat.format(text, arguments, budget);
            case "ljust" -> arguments -> padded(name, arguments, Side.RIGHT);
            case "rjust" -> arguments -> padded(name, arguments, Side.LEFT);
            case "center" -> arguments -> padded(name, arguments, Side.BOTH);
            case "zfill" ->
                arguments -> {
                    int width = arguments.bind(name, "width").integer("width", 0);
                    boolean signed = text.startsWith("-") || text.startsWith("+");
                    String sign = signed ? text.substring(0, 1) : "";
                    return sign
                            + TextParts.padded(
                                    text.substring(sign.length()),
                                    (long) width - sign.length(),
                                    "0",
                                    Side.LEFT,
                                    budget);
                };
            default -> null;
        };
    }

    private @Nullable Callable asking(String name) {
        return switch (name) {
            case "startswith" -> arguments -> isAt(name, arguments, true);
            case "endswith" -> arguments -> isAt(name, arguments, false);
            case "find" -> arguments -> place(text.indexOf(one(name, arguments)));
            case "rfind" -> arguments -> place(text.lastIndexOf(one(name, arguments)));
            case "index" ->
                arguments -> {
                    String part = one(name, arguments);
                    if (!text.contains(part)) {
                        throw new TemplateException.Failed("substring not found");
                    }
                    return place(text.indexOf(part));
                };
            case "count" ->
                arguments -> {
                    String part = one(name, arguments);
                    return part.isEmpty() ? CodePoints.length(text) + 1L : TextParts.count(text, part, budget);
                };
            case "isdigit", "isdecimal", "isnumeric" -> arguments -> all(Character::isDigit);
            case "isalpha" -> arguments -> all(Character::isLetter);
            case "isalnum" -> arguments -> all(Character::isLetterOrDigit);
            case "isspace" -> arguments -> all(CodePoints::isSpace);
            case "isascii" -> arguments -> text.isEmpty() || all(c -> c < 0x80);
            case "isupper" -> arguments -> isCased(Character::isUpperCase, Character::isLowerCase);
            case "islower" -> arguments -> isCased(Character::isLowerCase, Character::isUpperCase);
            default -> null;
        };
    }

    /** Pays for a text that is as long as this one. */
    private String made(String result) {
        budget.text(result.length());
        return result;
    }

    /** The only argument, a text that is looked for in this one. */
    private String one(String name, Arguments arguments) {
        var bound = arguments.bind(name, "text");
        bound.required("text");
        String part = bound.text("text", "");
        budget.search(text.length(), part.length());
        return part;
    }

    private Object strip(String name, Arguments arguments, boolean left, boolean right) {
        Object characters = arguments.bind(name, "chars").get("chars", None.NONE);
        return strip(text, characters, left, right, budget);
    }

    /** @param characters those to take away; none for white space */
    static String strip(String text, Object characters, boolean left, boolean right, Budget budget) {
        budget.text(text.length());
        if (characters == None.NONE) {
            return CodePoints.strip(text, CodePoints::isSpace, left, right);
        }
        if (!(characters instanceof String away)) {
            throw new TemplateException.Failed("strip takes a text or none, not %s".formatted(TypeName.of(characters)));
        }
        budget.search(text.length(), away.length());
        return CodePoints.strip(text, c -> away.indexOf(c) >= 0, left, right);
    }

    private Object split(String name, Arguments arguments, boolean fromRight) {
        var bound = arguments.bind(name, "sep", "maxsplit");
        int most = bound.integer("maxsplit", -1);
        return bound.get("sep", None.NONE) == None.NONE
                ? TextParts.words(text, most, fromRight, budget)
                : TextParts.split(text, bound.text("sep", ""), most, fromRight, budget);
    }

    private Object partition(Arguments arguments, int at, boolean last) {
        String separator = (String)
                Objects.requireNonNull(Markup.plain(arguments.positional().getFirst()));
        if (separator.isEmpty()) {
            throw new TemplateException.Failed("empty separator");
        }
        budget.text(text.length());
        if (at < 0) {
            return last ? Tuple.of("", "", text) : Tuple.of(text, "", "");
        }
        return Tuple.of(text.substring(0, at), separator, text.substring(at + separator.length()));
    }

    private Object join(Object elements) {
        StringBuilder out = new StringBuilder();
        String between = "";
        for (Object element : Sequences.elements(elements, budget)) {
            if (!(Markup.plain(element) instanceof String part)) {
                throw new TemplateException.Failed("join: expected texts, found %s".formatted(TypeName.of(element)));
            }
            budget.text((long) part.length() + between.length());
            out.append(between).append(part);
            between = text;
        }
        return out.toString();
    }

    private Object padded(String name, Arguments arguments, Side side) {
        var bound = arguments.bind(name, "width", "fillchar");
        String fill = bound.text("fillchar", " ");
        if (CodePoints.length(fill) != 1) {
            throw new TemplateException.Failed("%s: the fill is '%s', expected one character".formatted(name, fill));
        }
        return TextParts.padded(text, bound.integer("width", 0), fill, side, budget);
    }

    private Object isAt(String name, Arguments arguments, boolean start) {
        var bound = arguments.bind(name, "text", "start", "end");
        Object wanted = bound.required("text");
        String within = bound.has("start") || bound.has("end")
                ? (String) Objects.requireNonNull(Slices.slice(
                        text, bound.get("start", None.NONE), bound.get("end", None.NONE), None.NONE, budget))
                : text;
        List<Object> all = wanted instanceof Tuple(List<Object> several) ? several : List.of(wanted);
        boolean found = false;
        for (Object one : all) {
            if (!(Markup.plain(one) instanceof String part)) {
                throw new TemplateException.Failed(
                        "%s takes a text or a tuple of texts, not %s".formatted(name, TypeName.of(one)));
            }
            budget.look(part.length());
            found |= start ? within.startsWith(part) : within.endsWith(part);
        }
        return found;
    }

    private Object place(int index) {
        return index < 0 ? -1L : (long) text.codePointCount(0, index);
    }

    private boolean all(IntPredicate is) {
        budget.look(text.length());
        return !text.isEmpty() && text.codePoints().allMatch(is);
    }

    private boolean isCased(IntPredicate is, IntPredicate isNot) {
        budget.look(text.length());
        return text.codePoints().anyMatch(is) && text.codePoints().noneMatch(isNot);
    }
}
