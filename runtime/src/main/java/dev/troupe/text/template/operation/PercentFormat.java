package dev.troupe.text.template.operation;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Numbers;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The text operator {@code %}: {@code '%s is %d' % (name, age)}. */
public final class PercentFormat {
    private static final Pattern DIRECTIVE =
            Pattern.compile("%(?:\\(([^)]*)\\))?([-+ #0]*)(\\d{0,9})(?:\\.(\\d{1,9}))?([a-zA-Z%])");

    private final Object given;
    private final List<Object> values;
    private final Budget budget;
    private int used;

    private PercentFormat(Object given, Budget budget) {
        this.given = given;
        this.values = given instanceof Tuple(List<Object> elements) ? elements : List.of(given);
        this.budget = budget;
    }

    /** @throws TemplateException.Failed if the values do not fit the text */
    public static String format(String format, Object given, Budget budget) {
        budget.text(format.length());
        PercentFormat values = new PercentFormat(given, budget);
        StringBuilder out = new StringBuilder();
        Matcher matcher = DIRECTIVE.matcher(format);
        int at = 0;
        for (int sign = format.indexOf('%'); sign >= 0; sign = format.indexOf('%', at)) {
            if (!matcher.region(sign, format.length()).lookingAt()) {
                throw new TemplateException.Failed(
                        "'%%' at character %d of a format is incomplete".formatted(sign + 1));
            }
            out.append(format, at, sign).append(values.directive(matcher));
            at = matcher.end();
        }
        if (!(given instanceof Dict) && values.used < values.values.size()) {
            throw new TemplateException.Failed("not all arguments converted during string formatting");
        }
        return out.append(format, at, format.length()).toString();
    }

    private String directive(Matcher matcher) {
        char type = matcher.group(5).charAt(0);
        if (type == '%') {
            return "%";
        }
        String key = matcher.group(1);
        Object value = key == null ? next() : named(key);
        String flags = matcher.group(2);
        boolean text = "sra".indexOf(type) >= 0;
        char align = flags.contains("-") ? '<' : flags.contains("0") && !text ? '=' : '>';
        FormatSpec spec = new FormatSpec(
                align == '=' ? '0' : ' ',
                align,
                flags.contains("+") ? '+' : flags.contains(" ") ? ' ' : '-',
                flags.contains("#"),
                matcher.group(3).isEmpty() ? 0 : Long.parseLong(matcher.group(3)),
                "",
                matcher.group(4) == null ? -1 : Integer.parseInt(matcher.group(4)),
                text ? 's' : type == 'i' || type == 'u' ? 'd' : type);
        return spec.apply(converted(value, type), budget);
    }

    private Object converted(Object value, char type) {
        return switch (type) {
            case 's' -> Text.str(value, budget);
            case 'r', 'a' -> Text.repr(value, budget);
            case 'd', 'i', 'u' -> value instanceof Double number ? Numbers.truncated(number) : number(value, type);
            default -> number(value, type);
        };
    }

    private static Object number(Object value, char type) {
        if (!Numbers.isNumber(value)) {
            throw new TemplateException.Failed(
                    "%%%c format: a number is required, not %s".formatted(type, TypeName.of(value)));
        }
        return value;
    }

    private Object next() {
        if (used == values.size()) {
            throw new TemplateException.Failed("not enough arguments for format string");
        }
        return values.get(used++);
    }

    private Object named(String key) {
        Object value = given instanceof Dict dict ? dict.get(key, budget) : null;
        if (value == null) {
            throw new TemplateException.Failed("format needs a value for '%s'".formatted(key));
        }
        return value;
    }
}
