package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.operation.Operators;
import dev.troupe.text.template.python.Comparison;
import dev.troupe.text.template.python.Json;
import dev.troupe.text.template.python.Numbers;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Filters of single values: numbers, defaults, JSON. */
final class ValueFilters {
    private static final int LONGEST_NUMBER = 600;
    private static final int MOST_DIGITS = 300;
    /** What exact arithmetic of a double may take. */
    private static final int NUMBER_STEPS = 200;

    private ValueFilters() {}

    static void addTo(Map<String, Filter> filters) {
        filters.put("default", ValueFilters::orDefault);
        filters.put("d", ValueFilters::orDefault);
        filters.put("abs", (value, arguments, run) -> abs(value));
        filters.put("int", ValueFilters::integer);
        filters.put("float", ValueFilters::real);
        filters.put("round", ValueFilters::round);
        filters.put("tojson", ValueFilters::toJson);
        filters.put("attr", (value, arguments, run) -> {
            String name = arguments.bind("attr", "name").text("name", "");
            Object attribute = Access.ownAttribute(value, name, run);
            return attribute == null ? Undefined.name(name) : attribute;
        });
    }

    /** Whether an argument is there and true. */
    static boolean flag(Arguments.Bound bound, String name) {
        return Comparison.truth(bound.get(name, false));
    }

    private static Object orDefault(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("default", "default_value", "boolean");
        boolean missing = value instanceof Undefined || (flag(bound, "boolean") && !Comparison.truth(value));
        return missing ? bound.get("default_value", "") : value;
    }

    private static Object abs(Object value) {
        Object number = Operators.signed(value, false);
        return Numbers.compare(number, 0L) < 0 ? Numbers.negated(number) : number;
    }

    private static Object integer(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("int", "default", "base");
        Undefined.refuse(value);
        Object otherwise = bound.get("default", 0L);
        if (value instanceof String text) {
            run.budget().steps(text.length());
            Object whole = parseWhole(text.strip(), bound.integer("base", 10));
            if (whole != null) {
                return whole;
            }
        }
        if (Numbers.isWhole(value)) {
            return Numbers.of(Numbers.whole(value));
        }
        Double number = value instanceof Double real ? real : value instanceof String text ? parseReal(text) : null;
        return number == null || !Double.isFinite(number) ? otherwise : Numbers.truncated(number);
    }

    private static @Nullable Object parseWhole(String text, int base) {
        String digits = text.replaceFirst("^[+-]", "").toLowerCase(Locale.ROOT);
        boolean prefixed = (base == 16 && digits.startsWith("0x"))
                || (base == 8 && digits.startsWith("0o"))
                || (base == 2 && digits.startsWith("0b"));
        digits = prefixed ? digits.substring(2) : digits;
        if (base < 2
                || base > Character.MAX_RADIX
                || digits.length() > LONGEST_NUMBER
                || !digits.matches("[\\p{Nd}a-z]+(_[\\p{Nd}a-z]+)*")) {
            return null;
        }
        try {
            BigInteger number = new BigInteger(digits.replace("_", ""), base);
            return Numbers.of(text.startsWith("-") ? number.negate() : number);
        } catch (NumberFormatException e) {
            return null;
        }
    }

    private static @Nullable Double parseReal(String text) {
        String number = text.strip().toLowerCase(Locale.ROOT);
        if (number.matches("[+-]?(inf|infinity)")) {
            return number.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        if (number.matches("[+-]?nan")) {
            return Double.NaN;
        }
        boolean isNumber = number.length() <= LONGEST_NUMBER
                && number.matches("[+-]?(\\d+(_\\d+)*\\.?|\\d+(_\\d+)*\\.\\d+(_\\d+)*|\\.\\d+(_\\d+)*)(e[+-]?\\d+)?");
        return isNumber ? Double.valueOf(number.replace("_", "")) : null;
    }

    private static Object real(Object value, Arguments arguments, Run run) {
        Object otherwise = arguments.bind("float", "default").get("default", 0.0);
        run.budget().steps(NUMBER_STEPS);
        Undefined.refuse(value);
        if (Numbers.isNumber(value)) {
            return Numbers.real(value);
        }
        Double number = value instanceof String text ? parseReal(text) : null;
        return Objects.requireNonNullElse((Object) number, otherwise);
    }

    private static Object round(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("round", "precision", "method");
        String method = bound.text("method", "common");
        int digits = bound.integer("precision", 0);
        run.budget().steps(NUMBER_STEPS);
        Object number = Operators.signed(value, false);
        double real = Numbers.real(number);
        if (Math.abs((long) digits) > MOST_DIGITS || !Double.isFinite(real)) {
            return number;
        }
        RoundingMode mode = switch (method) {
            case "common" -> RoundingMode.HALF_EVEN;
            case "ceil" -> RoundingMode.CEILING;
            case "floor" -> RoundingMode.FLOOR;
            default ->
                throw new TemplateException.Failed(
                        "round: method = '%s', expected common, ceil or floor".formatted(method));
        };
        BigDecimal exact = Numbers.isWhole(number) ? new BigDecimal(Numbers.whole(number)) : new BigDecimal(real);
        BigDecimal rounded = exact.setScale(digits, mode);
        return Numbers.isWhole(number) && mode == RoundingMode.HALF_EVEN
                ? Numbers.of(rounded.toBigInteger())
                : (Object) rounded.doubleValue();
    }

    private static Object toJson(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys");
        Object indent = bound.get("indent", None.NONE);
        String step = switch (indent) {
            case None none -> null;
            case String text -> text;
            default -> Sequences.repeated(" ", bound.integer("indent", 0), run.budget());
        };
        List<Object> separators = List.of(step == null ? ", " : ",", ": ");
        if (bound.get("separators", None.NONE) != None.NONE) {
            separators = Sequences.elements(bound.required("separators"), run.budget());
        }
        if (separators.size() != 2) {
            throw new TemplateException.Failed("tojson: separators has %d elements of %s, expected 2 texts"
                    .formatted(separators.size(), TypeName.of(separators)));
        }
        Json.Layout layout = new Json.Layout(
                flag(bound, "ensure_ascii"),
                step,
                Text.str(separators.getFirst(), run.budget()),
                Text.str(separators.getLast(), run.budget()),
                flag(bound, "sort_keys"));
        return Json.write(value, layout, run.budget());
    }
}
