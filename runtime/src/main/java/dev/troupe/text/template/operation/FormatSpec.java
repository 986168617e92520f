package dev.troupe.text.template.operation;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.CodePoints;
import dev.troupe.text.template.python.Numbers;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.TypeName;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How one value is laid out in a text, for {@code format} and for {@code %}.
 *
 * @param align {@code <}, {@code >}, {@code ^}, {@code =}, or a space for the usual of the type
 * @param sign {@code +}, a space, or {@code -} for negative numbers only
 * @param grouping what stands between thousands, or empty
 * @param precision -1 if it is not given
 * @param type Python's letter, or a space
 */
record FormatSpec(
        int fill, char align, char sign, boolean alternate, long width, String grouping, int precision, char type) {
    private static final Pattern SPEC =
            Pattern.compile("(?s)(?:(.)?([<>=^]))?([-+ ]?)(#?)(0?)(\\d{0,9})([,_]?)(?:\\.(\\d{1,9}))?([a-zA-Z%]?)");
    private static final int MOST_PRECISION = 400;
    private static final int NUMBER_STEPS = 200;
    private static final BigDecimal LEAST_PLAIN = new BigDecimal("0.0001");

    /** @throws TemplateException.Failed if it is no format specification */
    static FormatSpec of(String spec) {
        Matcher matcher = SPEC.matcher(spec);
        if (!matcher.matches()) {
            throw new TemplateException.Failed("'%s' is no format specification".formatted(shortened(spec)));
        }
        boolean zeros = !matcher.group(5).isEmpty();
        String align = matcher.group(2);
        String fill = matcher.group(1);
        return new FormatSpec(
                fill != null ? fill.codePointAt(0) : zeros && align == null ? '0' : ' ',
                align != null ? align.charAt(0) : zeros ? '=' : ' ',
                first(matcher.group(3), '-'),
                !matcher.group(4).isEmpty(),
                matcher.group(6).isEmpty() ? 0 : Long.parseLong(matcher.group(6)),
                matcher.group(7),
                matcher.group(8) == null ? -1 : Integer.parseInt(matcher.group(8)),
                first(matcher.group(9), ' '));
    }

    private static char first(String text, char otherwise) {
        return text.isEmpty() ? otherwise : text.charAt(0);
    }

    private static String shortened(String text) {
        return text.length() <= 40 ? text : text.substring(0, 40) + "...";
    }

    /** @throws TemplateException.Failed if the type does not fit the value */
    String apply(Object value, Budget budget) {
        budget.text(width);
        budget.steps(NUMBER_STEPS + Math.max(0, precision));
        boolean number = Numbers.isNumber(value) && !(value instanceof Boolean && type == ' ');
        if (!number || type == 's') {
            return padded("", text(value, budget), '<');
        }
        if (precision > MOST_PRECISION) {
            throw new TemplateException.Failed(
                    "a precision of %d digits is too large; expected at most %d".formatted(precision, MOST_PRECISION));
        }
        boolean whole = Numbers.isWhole(value);
        String digits = "bcdoxX".indexOf(type) >= 0 || (whole && type == ' ') ? whole(value) : real(value);
        boolean minus = digits.startsWith("-");
        String prefix = minus ? "-" : sign == '-' ? "" : String.valueOf(sign);
        return padded(prefix, minus ? digits.substring(1) : digits, '>');
    }

    private String text(Object value, Budget budget) {
        if (type != ' ' && type != 's') {
            throw wrongType(value);
        }
        String text = Text.str(value, budget);
        return precision >= 0 && precision < CodePoints.length(text) ? CodePoints.part(text, 0, precision) : text;
    }

    private String whole(Object value) {
        if (!Numbers.isWhole(value)) {
            throw wrongType(value);
        }
        if (type == 'c') {
            int codePoint = Numbers.whole(value).intValue();
            return Character.isValidCodePoint(codePoint) ? Character.toString(codePoint) : "\ufffd";
        }
        int radix = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
        String digits = Numbers.whole(value).abs().toString(radix);
        String prefix = alternate && radix != 10 ? "0" + type : "";
        String cased = type == 'X' ? digits.toUpperCase(Locale.ROOT) : digits;
        return (Numbers.whole(value).signum() < 0 ? "-" : "") + prefix + grouped(cased, radix == 10 ? 3 : 4);
    }

    private String real(Object value) {
        double number = Numbers.real(value);
        if (!Double.isFinite(number)) {
            return Numbers.text(number);
        }
        int digits = precision < 0 ? 6 : precision;
        String text = switch (type) {
            case 'f', 'F' -> fixed(number, digits);
            case '%' -> fixed(number * 100, digits) + "%";
            case 'e', 'E' -> scientific(number, digits);
            case 'g', 'G', 'n' -> general(number, digits);
            case ' ' -> precision < 0 ? Numbers.text(number) : general(number, digits);
            default -> throw wrongType(value);
        };
        int point = text.indexOf('.');
        String whole = point < 0 ? text : text.substring(0, point);
        String shown = grouping.isEmpty() ? text : grouped(whole, 3) + text.substring(whole.length());
        return Character.isUpperCase(type) ? shown.toUpperCase(Locale.ROOT) : shown;
    }

    private static String fixed(double number, int digits) {
        String sign = 1 / number < 0 || number < 0 ? "-" : "";
        return sign
                + new BigDecimal(Math.abs(number))
                        .setScale(digits, RoundingMode.HALF_EVEN)
                        .toPlainString();
    }

    private static String scientific(double number, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "e", number);
    }

    private static String general(double number, int precision) {
        int digits = Math.max(precision, 1);
        BigDecimal rounded = new BigDecimal(number).round(new MathContext(digits, RoundingMode.HALF_EVEN));
        BigDecimal size = rounded.abs();
        if (size.signum() != 0 && (size.compareTo(LEAST_PLAIN) < 0 || size.precision() - size.scale() > digits)) {
            String text = scientific(number, digits - 1);
            int e = text.indexOf('e');
            return withoutZeros(text.substring(0, e)) + text.substring(e);
        }
        return withoutZeros(rounded.toPlainString());
    }

    private static String withoutZeros(String text) {
        return text.contains(".") ? text.replaceAll("\\.?0+$", "") : text;
    }

    private String grouped(String digits, int size) {
        if (grouping.isEmpty()) {
            return digits;
        }
        StringBuilder grouped = new StringBuilder(digits);
        int least = digits.startsWith("-") ? 1 : 0;
        for (int at = digits.length() - size; at > least; at -= size) {
            grouped.insert(at, grouping);
        }
        return grouped.toString();
    }

    private String padded(String prefix, String text, char usual) {
        long missing = width - CodePoints.length(prefix) - CodePoints.length(text);
        if (missing <= 0) {
            return prefix + text;
        }
        String padding = Character.toString(fill).repeat((int) missing);
        int half = padding.length() / 2 / Character.charCount(fill) * Character.charCount(fill);
        return switch (align == ' ' ? usual : align) {
            case '<' -> prefix + text + padding;
            case '^' -> padding.substring(0, half) + prefix + text + padding.substring(half);
            case '=' -> prefix + padding + text;
            default -> padding + prefix + text;
        };
    }

    private TemplateException wrongType(Object value) {
        return new TemplateException.Failed(
                "format type '%c' does not take a value of type %s".formatted(type, TypeName.of(value)));
    }
}
