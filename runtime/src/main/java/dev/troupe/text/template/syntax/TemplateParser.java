package dev.troupe.text.template.syntax;

import dev.troupe.text.template.limit.Limits;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.syntax.Statement.FilterChain;
import dev.troupe.text.template.syntax.Statement.Signature;
import dev.troupe.text.template.syntax.Statement.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Statements from the source of a template. */
public final class TemplateParser {
    private static final Set<String> NOT_SUPPORTED = Set.of("include", "import", "from", "extends", "block", "do");
    /** A level of the source is several levels of a tree. */
    private static final int LEVELS = 4;

    private final TokenStream tokens;
    private final ExpressionParser expressions;
    private int loops;

    private TemplateParser(TokenStream tokens) {
        this.tokens = tokens;
        this.expressions = new ExpressionParser(tokens);
    }

    /**
     * @throws TemplateException.Syntax if it is no template
     * @throws TemplateException.LimitReached if it is too long or too deep
     */
    public static List<Statement> parse(String source, Limits limits) {
        if (source.length() > limits.source()) {
            throw new TemplateException.LimitReached("source", limits.source());
        }
        TokenStream tokens = new TokenStream(Lexer.tokens(source), Math.max(1, limits.depth() / LEVELS));
        List<Statement> statements = new TemplateParser(tokens).statements(Set.of());
        if (!tokens.is(Token.Kind.END)) {
            throw tokens.unexpected("text or a tag");
        }
        return statements;
    }

    /** Up to a block that begins with one of {@code ends}: that name is the next token then. */
    private List<Statement> statements(Set<String> ends) {
        tokens.enter();
        List<Statement> statements = new ArrayList<>();
        while (!tokens.is(Token.Kind.END)) {
            Token token = tokens.next();
            switch (token.kind()) {
                case DATA -> statements.add(new Statement.Data(token.text(), token.line()));
                case PRINT_BEGIN -> {
                    statements.add(new Statement.Print(expressions.tuple(true, false, ""), token.line()));
                    tokens.expect(Token.Kind.PRINT_END, "'}}'");
                }
                default -> {
                    if (tokens.is(Token.Kind.NAME)
                            && ends.contains(tokens.current().text())) {
                        tokens.leave();
                        return statements;
                    }
                    statements.add(block(token.line()));
                    endOfBlock();
                }
            }
        }
        if (!ends.isEmpty()) {
            throw tokens.unexpected(
                    "one of the blocks %s".formatted(ends.stream().sorted().toList()));
        }
        tokens.leave();
        return statements;
    }

    /** The body of a block from the end of its tag, and the name that ends it. */
    private List<Statement> body(String end) {
        endOfBlock();
        List<Statement> body = statements(Set.of(end));
        tokens.next();
        return body;
    }

    private void endOfBlock() {
        tokens.expect(Token.Kind.BLOCK_END, "'%}'");
    }

    private Statement block(int line) {
        Token name = tokens.expect(Token.Kind.NAME, "the name of a block");
        return switch (name.text()) {
            case "if" -> ifBlock(line);
            case "for" -> forBlock(line);
            case "set" -> setBlock(line);
            case "macro" -> {
                String macro =
                        tokens.expect(Token.Kind.NAME, "the name of a macro").text();
                yield new Statement.Macro(macro, signature("endmacro"), line);
            }
            case "call" -> callBlock(line);
            case "filter" -> {
                FilterChain filters = filters(true);
                yield new Statement.FilterBlock(filters, body("endfilter"), line);
            }
            case "with" -> withBlock(line);
            case "generation" -> new Statement.Generation(body("endgeneration"), line);
            case "break" -> {
                requireLoop(name);
                yield new Statement.Break(line);
            }
            case "continue" -> {
                requireLoop(name);
                yield new Statement.Continue(line);
            }
            default ->
                throw new TemplateException.Syntax(
                        name.line(),
                        NOT_SUPPORTED.contains(name.text())
                                ? "block '%s' is not supported in chat templates".formatted(name.text())
                                : "unknown block %s".formatted(name.shown()));
        };
    }

    private void requireLoop(Token name) {
        if (loops == 0) {
            throw new TemplateException.Syntax(name.line(), "'%s' stands in no loop".formatted(name.text()));
        }
    }

    private Statement ifBlock(int line) {
        Expression condition = expressions.tuple(false, false, "");
        endOfBlock();
        List<Statement> body = statements(Set.of("elif", "else", "endif"));
        int next = tokens.line();
        return switch (tokens.next().text()) {
            case "elif" -> {
                tokens.enter();
                Statement otherwise = ifBlock(next);
                tokens.leave();
                yield new Statement.If(condition, body, List.of(otherwise), line);
            }
            case "else" -> new Statement.If(condition, body, body("endif"), line);
            default -> new Statement.If(condition, body, List.of(), line);
        };
    }

    private Statement forBlock(int line) {
        Target target = target(false, "in");
        if (!tokens.skipName("in")) {
            throw tokens.unexpected("'in'");
        }
        Expression elements = expressions.tuple(false, false, "recursive");
        Expression condition = tokens.skipName("if") ? expressions.expression() : new Expression.Constant(true);
        boolean recursive = tokens.skipName("recursive");
        endOfBlock();
        loops++;
        List<Statement> body = statements(Set.of("else", "endfor"));
        loops--;
        List<Statement> otherwise = tokens.next().text().equals("else") ? body("endfor") : List.of();
        return new Statement.For(target, elements, condition, recursive, body, otherwise, line);
    }

    private Statement setBlock(int line) {
        Target target = target(true, "");
        if (tokens.skipOperator("=")) {
            return new Statement.Set(target, expressions.tuple(true, false, ""), line);
        }
        FilterChain filters = filters(false);
        return new Statement.SetBlock(target, filters, body("endset"), line);
    }

    private Statement callBlock(int line) {
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        if (tokens.isOperator("(")) {
            parameters(parameters, defaults);
        }
        Expression.Call call = expressions.call();
        if (call == null) {
            throw tokens.unexpected("the call of a macro before it");
        }
        return new Statement.CallBlock(call, new Signature(parameters, defaults, bodyOutsideLoops("endcall")), line);
    }

    private Statement withBlock(int line) {
        List<Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!tokens.is(Token.Kind.BLOCK_END)) {
            targets.add(target(false, ""));
            tokens.expectOperator("=");
            values.add(expressions.expression());
            if (!tokens.skipOperator(",")) {
                break;
            }
        }
        return new Statement.With(targets, values, body("endwith"), line);
    }

    private Signature signature(String end) {
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        parameters(parameters, defaults);
        return new Signature(parameters, defaults, bodyOutsideLoops(end));
    }

    private List<Statement> bodyOutsideLoops(String end) {
        int outside = loops;
        loops = 0;
        List<Statement> body = body(end);
        loops = outside;
        return body;
    }

    private void parameters(List<String> parameters, List<Expression> defaults) {
        tokens.expectOperator("(");
        while (!tokens.isOperator(")")) {
            parameters.add(
                    tokens.expect(Token.Kind.NAME, "the name of a parameter").text());
            if (tokens.skipOperator("=")) {
                defaults.add(expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw tokens.unexpected("'=', as for the parameter before");
            }
            if (!tokens.skipOperator(",")) {
                break;
            }
        }
        tokens.expectOperator(")");
    }

    private FilterChain filters(boolean required) {
        if (!required && !tokens.skipOperator("|")) {
            return new FilterChain(Optional.empty());
        }
        return new FilterChain(Optional.of(expressions.filters(new Expression.Name(FilterChain.TEXT))));
    }

    private Target target(boolean withField, String endName) {
        List<Target> targets = new ArrayList<>();
        boolean comma = false;
        do {
            if (comma && (tokens.isOperator("=") || tokens.isName(endName) || tokens.isOperator(")"))) {
                break;
            }
            targets.add(oneTarget(withField));
            comma |= tokens.isOperator(",");
        } while (tokens.skipOperator(","));
        return comma ? new Target.Several(targets) : targets.getFirst();
    }

    private Target oneTarget(boolean withField) {
        if (tokens.skipOperator("(")) {
            tokens.enter();
            Target inner = target(withField, "");
            tokens.leave();
            tokens.expectOperator(")");
            return inner;
        }
        Token name = tokens.expect(Token.Kind.NAME, "the name of a variable");
        if (withField && tokens.skipOperator(".")) {
            return new Target.Field(
                    name.text(),
                    tokens.expect(Token.Kind.NAME, "the name of an attribute").text());
        }
        return switch (name.text()) {
            case "true", "True", "false", "False", "none", "None" ->
                throw new TemplateException.Syntax(name.line(), "cannot assign to '%s'".formatted(name.text()));
            default -> new Target.Variable(name.text());
        };
    }
}
