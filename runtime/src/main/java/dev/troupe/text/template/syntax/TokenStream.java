package dev.troupe.text.template.syntax;

import dev.troupe.text.template.limit.TemplateException;
import java.util.List;

/** Tokens one after the other, and how deep the parser is. */
final class TokenStream {
    private final List<Token> tokens;
    private final int deepest;
    private int at;
    private int depth;

    TokenStream(List<Token> tokens, int deepest) {
        this.tokens = tokens;
        this.deepest = deepest;
    }

    Token current() {
        return tokens.get(at);
    }

    int line() {
        return current().line();
    }

    Token next() {
        Token token = current();
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    boolean is(Token.Kind kind) {
        return current().kind() == kind;
    }

    boolean isOperator(String text) {
        return current().is(Token.Kind.OPERATOR, text);
    }

    boolean isName(String text) {
        return current().is(Token.Kind.NAME, text);
    }

    boolean nextIsName(String text) {
        return tokens.get(Math.min(at + 1, tokens.size() - 1)).is(Token.Kind.NAME, text);
    }

    boolean nextIsOperator(String text) {
        return tokens.get(Math.min(at + 1, tokens.size() - 1)).is(Token.Kind.OPERATOR, text);
    }

    boolean skipOperator(String text) {
        boolean found = isOperator(text);
        at += found ? 1 : 0;
        return found;
    }

    boolean skipName(String text) {
        boolean found = isName(text);
        at += found ? 1 : 0;
        return found;
    }

    void expectOperator(String text) {
        if (!skipOperator(text)) {
            throw unexpected("'%s'".formatted(text));
        }
    }

    /** @param what for messages */
    Token expect(Token.Kind kind, String what) {
        if (!is(kind)) {
            throw unexpected(what);
        }
        return next();
    }

    TemplateException unexpected(String expected) {
        return new TemplateException.Syntax(
                line(), "unexpected %s, expected %s".formatted(current().shown(), expected));
    }

    /** Goes into something that may hold more of its kind. */
    void enter() {
        if (depth == deepest) {
            throw new TemplateException.LimitReached("depth", deepest).at(line());
        }
        depth++;
    }

    void leave() {
        depth--;
    }
}
