package dev.troupe.text.template.syntax;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.CodePoints;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens. White space around tags goes as with Jinja's {@code trim_blocks} and
 * {@code lstrip_blocks}: the first newline behind a block or comment, and blanks before one that begins a line.
 */
final class Lexer {
    private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*(?:-%\\}\\s*|%\\})");
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*(?:\\+%\\}|-%\\}\\s*|%\\}\\n?)");
    private static final Pattern FLOAT = Pattern.compile(
            "(?i)(?<!\\.)(?:\\d+_)*+\\d+(?:(?:\\.(?:\\d+_)*+\\d+)?e[+-]?(?:\\d+_)*+\\d+|\\.(?:\\d+_)*+\\d+)");
    private static final Pattern INTEGER =
            Pattern.compile("(?i)0b(?:_?[01])++|0o(?:_?[0-7])++|0x(?:_?[\\da-f])++|[1-9](?:_?\\d)*+|0(?:_?0)*+");
    private static final List<String> OPERATORS = List.of(
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
            "=", ".", ":", "|", ",", ";");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private final Deque<String> open = new ArrayDeque<>();
    private int at;
    private int line = 1;

    private Lexer(String source) {
        this.source = source;
    }

    /** @throws TemplateException.Syntax if a tag, a comment or a string does not end, or has a character of no token */
    static List<Token> tokens(String template) {
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer = new Lexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        for (int tag = nextTag(); tag >= 0; tag = nextTag()) {
            char kind = source.charAt(tag + 1);
            data(tag, sign(tag + 2), kind != '{');
            if (kind == '#') {
                comment();
            } else if (kind == '%' && matcher(RAW).lookingAt()) {
                raw();
            } else {
                tag(kind == '{');
            }
        }
        data(source.length(), ' ', false);
        add(Token.Kind.END, "");
    }

    private int nextTag() {
        int brace = source.indexOf('{', at);
        while (brace >= 0 && (brace + 1 == source.length() || "{%#".indexOf(source.charAt(brace + 1)) < 0)) {
            brace = source.indexOf('{', brace + 1);
        }
        return brace;
    }

    /** The sign that says what becomes of white space before a tag, or a space. */
    private char sign(int index) {
        return index < source.length() && "-+".indexOf(source.charAt(index)) >= 0 ? source.charAt(index) : ' ';
    }

    /** Text up to {@code end}, where something begins that has this sign. */
    private void data(int end, char sign, boolean isBlock) {
        boolean beginsLine = at == 0 || source.charAt(at - 1) == '\n';
        String text = source.substring(at, end);
        if (sign == '-') {
            text = CodePoints.strip(text, CodePoints::isSpace, false, true);
        } else if (sign != '+' && isBlock) {
            int blanks = text.lastIndexOf('\n') + 1;
            if ((blanks > 0 || beginsLine) && text.substring(blanks).isBlank()) {
                text = text.substring(0, blanks);
            }
        }
        if (!text.isEmpty()) {
            add(Token.Kind.DATA, text);
        }
        moveTo(end);
    }

    private void comment() {
        int from = at + 2 + (sign(at + 2) == ' ' ? 0 : 1);
        int end = source.indexOf("#}", from);
        if (end < 0) {
            throw wrong("a comment has no end '#}'");
        }
        endOfTag(end, end > from ? source.charAt(end - 1) : ' ', true);
    }

    private void raw() {
        Matcher begin = matcher(RAW);
        Matcher end = matcher(END_RAW);
        if (!begin.lookingAt() || !end.find()) {
            throw wrong("'raw' has no 'endraw'");
        }
        moveTo(begin.end());
        data(end.start(), end.group(1).isEmpty() ? ' ' : end.group(1).charAt(0), true);
        moveTo(end.end());
    }

    private void tag(boolean print) {
        add(print ? Token.Kind.PRINT_BEGIN : Token.Kind.BLOCK_BEGIN, "");
        int began = line;
        moveTo(at + 2 + (sign(at + 2) == ' ' ? 0 : 1));
        String end = print ? "}}" : "%}";
        while (true) {
            skipSpace();
            if (at == source.length()) {
                throw new TemplateException.Syntax(began, "a tag has no end '%s'".formatted(end));
            }
            boolean signed = source.startsWith(end, at + 1) && (sign(at) == '-' || (sign(at) == '+' && !print));
            if (open.isEmpty() && (signed || source.startsWith(end, at))) {
                add(print ? Token.Kind.PRINT_END : Token.Kind.BLOCK_END, "");
                endOfTag(signed ? at + 1 : at, signed ? source.charAt(at) : ' ', !print);
                return;
            }
            token();
        }
    }

    /** Behind the two characters at {@code end}, and what white space goes with them. */
    private void endOfTag(int end, char sign, boolean isBlock) {
        moveTo(end + 2);
        if (sign == '-') {
            skipSpace();
        } else if (sign != '+' && isBlock && source.startsWith("\n", at)) {
            moveTo(at + 1);
        }
    }

    private void token() {
        char c = source.charAt(at);
        if (c == '\'' || c == '"') {
            string(c);
        } else if (matches(FLOAT, Token.Kind.FLOAT) || matches(INTEGER, Token.Kind.INTEGER)) {
            return;
        } else if (Character.isUnicodeIdentifierPart(source.codePointAt(at))) {
            int end = at;
            while (end < source.length() && Character.isUnicodeIdentifierPart(source.codePointAt(end))) {
                end += Character.charCount(source.codePointAt(end));
            }
            add(Token.Kind.NAME, source.substring(at, end));
            moveTo(end);
        } else {
            operator();
        }
    }

    private boolean matches(Pattern pattern, Token.Kind kind) {
        Matcher matcher = matcher(pattern).useTransparentBounds(true);
        boolean found = matcher.lookingAt();
        if (found) {
            add(kind, matcher.group());
            moveTo(matcher.end());
        }
        return found;
    }

    private void string(char quote) {
        int end = at + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw wrong("a string has no end %c".formatted(quote));
        }
        add(Token.Kind.STRING, StringLiteral.of(source.substring(at + 1, end), line));
        moveTo(end + 1);
    }

    private void operator() {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                balance(operator);
                add(Token.Kind.OPERATOR, operator);
                moveTo(at + operator.length());
                return;
            }
        }
        throw wrong("unexpected character '%s'".formatted(Character.toString(source.codePointAt(at))));
    }

    private void balance(String operator) {
        switch (operator) {
            case "(" -> open.push(")");
            case "[" -> open.push("]");
            case "{" -> open.push("}");
            case ")", "]", "}" -> {
                if (open.isEmpty() || !open.peek().equals(operator)) {
                    throw wrong("unexpected '%s', expected %s"
                            .formatted(operator, open.isEmpty() ? "none" : "'" + open.peek() + "'"));
                }
                open.pop();
            }
            default -> {}
        }
    }

    private void skipSpace() {
        int end = at;
        while (end < source.length() && CodePoints.isSpace(source.charAt(end))) {
            end++;
        }
        moveTo(end);
    }

    private void moveTo(int index) {
        for (; at < index; at++) {
            line += source.charAt(at) == '\n' ? 1 : 0;
        }
    }

    private Matcher matcher(Pattern pattern) {
        return pattern.matcher(source).region(at, source.length());
    }

    private void add(Token.Kind kind, String text) {
        tokens.add(new Token(kind, text, line));
    }

    private TemplateException wrong(String reason) {
        return new TemplateException.Syntax(line, reason);
    }
}
