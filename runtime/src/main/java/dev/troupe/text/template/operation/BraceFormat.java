package dev.troupe.text.template.operation;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Arguments;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The text method {@code format}: {@code '{} is {age:d}'.format(name, age=7)}. Attributes of values cannot be named. */
public final class BraceFormat {
    private static final Pattern PIECE = Pattern.compile("\\{\\{|\\}\\}|\\{(\\w*)(?:!([rsa]))?(?::([^{}]*))?\\}|[{}]");

    private final Arguments arguments;
    private final Budget budget;
    private int used;

    private BraceFormat(Arguments arguments, Budget budget) {
        this.arguments = arguments;
        this.budget = budget;
    }

    /** @throws TemplateException.Failed if the arguments do not fit the text */
    public static String format(String format, Arguments arguments, Budget budget) {
        budget.text(format.length());
        BraceFormat values = new BraceFormat(arguments, budget);
        StringBuilder out = new StringBuilder();
        Matcher matcher = PIECE.matcher(format);
        int at = 0;
        while (matcher.find()) {
            out.append(format, at, matcher.start()).append(values.piece(matcher));
            at = matcher.end();
        }
        return out.append(format, at, format.length()).toString();
    }

    private String piece(Matcher matcher) {
        String name = matcher.group(1);
        if (name == null) {
            if (matcher.end() - matcher.start() == 1) {
                throw new TemplateException.Failed(
                        "'%s' at character %d of a format has no counterpart, or is not supported"
                                .formatted(matcher.group(), matcher.start() + 1));
            }
            return matcher.group().substring(1);
        }
        Object value = value(name);
        String conversion = matcher.group(2);
        if (conversion != null) {
            value = conversion.equals("s") ? Text.str(value, budget) : Text.repr(value, budget);
        }
        String spec = matcher.group(3);
        return spec == null || spec.isEmpty()
                ? Text.str(value, budget)
                : FormatSpec.of(spec).apply(value, budget);
    }

    private Object value(String name) {
        if (!name.isEmpty() && !Character.isDigit(name.charAt(0))) {
            Object value = arguments.named().get(name);
            if (value == null) {
                throw new TemplateException.Failed("format needs a value for '%s'".formatted(name));
            }
            return value;
        }
        List<Object> positional = arguments.positional();
        int index = name.isEmpty() ? used++ : name.length() > 9 ? Integer.MAX_VALUE : Integer.parseInt(name);
        if (index >= positional.size()) {
            throw new TemplateException.Failed(
                    "format needs an argument number %d, %d were given".formatted(index, positional.size()));
        }
        return positional.get(index);
    }
}
