package dev.troupe.text.template.syntax;

import dev.troupe.text.template.limit.TemplateException;

/** What a string in quotes stands for, with Python's escapes. */
final class StringLiteral {
    private static final int OCTAL_DIGITS = 3;

    private StringLiteral() {}

    /** @param written without its quotes */
    static String of(String written, int line) {
        if (written.indexOf('\\') < 0) {
            return written;
        }
        StringBuilder out = new StringBuilder();
        int i = 0;
        while (i < written.length()) {
            char c = written.charAt(i++);
            if (c != '\\' || i == written.length()) {
                out.append(c);
                continue;
            }
            char escaped = written.charAt(i++);
            switch (escaped) {
                case 'x' -> i = hexadecimal(written, i, 2, out, line);
                case 'u' -> i = hexadecimal(written, i, 4, out, line);
                case 'U' -> i = hexadecimal(written, i, 8, out, line);
                case '0', '1', '2', '3', '4', '5', '6', '7' -> i = octal(written, i - 1, out);
                case '\n' -> {}
                default -> out.append(simple(escaped));
            }
        }
        return out.toString();
    }

    private static String simple(char escaped) {
        return switch (escaped) {
            case 'n' -> "\n";
            case 't' -> "\t";
            case 'r' -> "\r";
            case 'b' -> "\b";
            case 'f' -> "\f";
            case 'a' -> "\u0007";
            case 'v' -> "\u000b";
            case '\\', '\'', '"' -> String.valueOf(escaped);
            default -> "\\" + escaped;
        };
    }

    private static int hexadecimal(String written, int from, int digits, StringBuilder out, int line) {
        int to = from + digits;
        String number = to <= written.length() ? written.substring(from, to) : "";
        if (!number.matches("[0-9a-fA-F]+") || !Character.isValidCodePoint((int) Long.parseLong(number, 16))) {
            throw new TemplateException.Syntax(
                    line, "an escape '\\%c' needs %d hexadecimal digits".formatted(written.charAt(from - 1), digits));
        }
        out.appendCodePoint((int) Long.parseLong(number, 16));
        return to;
    }

    private static int octal(String written, int from, StringBuilder out) {
        int to = from;
        int value = 0;
        while (to < written.length()
                && to < from + OCTAL_DIGITS
                && written.charAt(to) >= '0'
                && written.charAt(to) <= '7') {
            value = value * 8 + written.charAt(to++) - '0';
        }
        out.appendCodePoint(value);
        return to;
    }
}
