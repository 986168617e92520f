package dev.troupe.text.template.syntax;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Numbers;
import dev.troupe.text.template.syntax.Expression.CallArguments;
import dev.troupe.text.template.value.None;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** The operands of expressions: names, literals and signs, with what is behind them: attributes, elements, calls, filters. */
final class OperandParser {
    private static final Set<String> AFTER_TEST = Set.of("else", "or", "and");
    /** Within what {@link Numbers} allow, in any radix. */
    private static final int LONGEST_NUMBER = 500;

    private static final Expression NONE = new Expression.Constant(None.NONE);

    private final TokenStream tokens;
    private final ExpressionParser expressions;

    OperandParser(TokenStream tokens, ExpressionParser expressions) {
        this.tokens = tokens;
        this.expressions = expressions;
    }

    /** A sign binds closer than a filter: {@code -1|abs} is 1. */
    Expression operand(boolean withFilters) {
        boolean minus = tokens.isOperator("-");
        Expression value;
        if (minus || tokens.isOperator("+")) {
            tokens.enter();
            tokens.next();
            value = new Expression.Signed(operand(false), minus);
            tokens.leave();
        } else {
            value = primary();
        }
        Expression whole = postfix(value);
        return withFilters ? filters(whole, false) : whole;
    }

    private Expression primary() {
        Token token = tokens.current();
        return switch (token.kind()) {
            case NAME -> name(tokens.next().text());
            case STRING -> {
                StringBuilder text = new StringBuilder();
                while (tokens.is(Token.Kind.STRING)) {
                    text.append(tokens.next().text());
                }
                yield new Expression.Constant(text.toString());
            }
            case INTEGER -> new Expression.Constant(integer(tokens.next()));
            case FLOAT ->
                new Expression.Constant(Double.valueOf(tokens.next().text().replace("_", "")));
            default -> bracketed();
        };
    }

    private static Expression name(String name) {
        return switch (name) {
            case "true", "True" -> new Expression.Constant(true);
            case "false", "False" -> new Expression.Constant(false);
            case "none", "None" -> NONE;
            default -> new Expression.Name(name);
        };
    }

    private static Object integer(Token token) {
        String digits = token.text().replace("_", "").toLowerCase(Locale.ROOT);
        int radix = digits.startsWith("0x") ? 16 : digits.startsWith("0o") ? 8 : digits.startsWith("0b") ? 2 : 10;
        if (digits.length() > LONGEST_NUMBER) {
            throw new TemplateException.Syntax(
                    token.line(),
                    "a number of %d digits is too long; expected at most %d"
                            .formatted(digits.length(), LONGEST_NUMBER));
        }
        return Numbers.of(new BigInteger(radix == 10 ? digits : digits.substring(2), radix));
    }

    private Expression bracketed() {
        if (tokens.skipOperator("(")) {
            Expression tuple = expressions.tuple(true, true, "");
            tokens.expectOperator(")");
            return tuple;
        }
        if (tokens.skipOperator("[")) {
            List<Expression> elements = new ArrayList<>();
            while (!tokens.isOperator("]")) {
                elements.add(expressions.expression());
                if (!tokens.skipOperator(",")) {
                    break;
                }
            }
            tokens.expectOperator("]");
            return new Expression.ListOf(elements);
        }
        if (tokens.skipOperator("{")) {
            return dict();
        }
        throw tokens.unexpected("an expression");
    }

    private Expression dict() {
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!tokens.isOperator("}")) {
            keys.add(expressions.expression());
            tokens.expectOperator(":");
            values.add(expressions.expression());
            if (!tokens.skipOperator(",")) {
                break;
            }
        }
        tokens.expectOperator("}");
        return new Expression.DictOf(keys, values);
    }

    private Expression postfix(Expression start) {
        Expression value = start;
        while (true) {
            if (tokens.skipOperator(".")) {
                value = attribute(value);
            } else if (tokens.skipOperator("[")) {
                value = subscript(value);
            } else if (tokens.isOperator("(")) {
                value = new Expression.Call(value, arguments(), tokens.line());
            } else {
                return value;
            }
        }
    }

    private Expression attribute(Expression object) {
        Token name = tokens.next();
        return switch (name.kind()) {
            case NAME -> new Expression.Attribute(object, name.text());
            case INTEGER -> new Expression.Element(object, new Expression.Constant(integer(name)));
            default ->
                throw new TemplateException.Syntax(
                        name.line(), "unexpected %s behind '.', expected a name".formatted(name.shown()));
        };
    }

    private Expression subscript(Expression object) {
        List<Expression> keys = new ArrayList<>();
        boolean comma = false;
        while (!tokens.isOperator("]")) {
            Expression start = tokens.isOperator(":") ? NONE : expressions.expression();
            if (keys.isEmpty() && tokens.skipOperator(":")) {
                return slice(object, start);
            }
            keys.add(start);
            if (!tokens.skipOperator(",")) {
                break;
            }
            comma = true;
        }
        tokens.expectOperator("]");
        return new Expression.Element(
                object, keys.size() == 1 && !comma ? keys.getFirst() : new Expression.TupleOf(keys));
    }

    private Expression slice(Expression object, Expression start) {
        Expression stop = tokens.isOperator(":") || tokens.isOperator("]") ? NONE : expressions.expression();
        Expression step = NONE;
        if (tokens.skipOperator(":") && !tokens.isOperator("]")) {
            step = expressions.expression();
        }
        tokens.expectOperator("]");
        return new Expression.Slice(object, start, stop, step);
    }

    /** @param first whether a filter comes first, without its bar */
    Expression filters(Expression start, boolean first) {
        Expression value = first ? filter(start) : start;
        while (true) {
            if (tokens.skipOperator("|")) {
                value = filter(value);
            } else if (tokens.isName("is")) {
                tokens.next();
                value = test(value);
            } else if (tokens.isOperator("(")) {
                value = new Expression.Call(value, arguments(), tokens.line());
            } else {
                return value;
            }
        }
    }

    private Expression filter(Expression value) {
        int line = tokens.line();
        String name = dottedName("the name of a filter");
        CallArguments arguments = tokens.isOperator("(") ? arguments() : CallArguments.NONE;
        return new Expression.Filtered(value, name, arguments, line);
    }

    private Expression test(Expression value) {
        int line = tokens.line();
        boolean not = tokens.skipName("not");
        String name = dottedName("the name of a test");
        CallArguments arguments = CallArguments.NONE;
        if (tokens.isOperator("(")) {
            arguments = arguments();
        } else if (beginsOperand()) {
            if (tokens.isName("is")) {
                throw tokens.unexpected("one test; tests cannot be chained");
            }
            tokens.enter();
            Expression argument = postfix(primary());
            tokens.leave();
            arguments = new CallArguments(List.of(argument), List.of(), List.of(), List.of());
        }
        Expression tested = new Expression.Tested(value, name, arguments, line);
        return not ? new Expression.Not(tested) : tested;
    }

    private String dottedName(String what) {
        String name = tokens.expect(Token.Kind.NAME, what).text();
        while (tokens.skipOperator(".")) {
            name += "." + tokens.expect(Token.Kind.NAME, what).text();
        }
        return name;
    }

    private boolean beginsOperand() {
        return switch (tokens.current().kind()) {
            case NAME -> !AFTER_TEST.contains(tokens.current().text());
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> tokens.isOperator("[") || tokens.isOperator("{");
            case DATA, PRINT_BEGIN, PRINT_END, BLOCK_BEGIN, BLOCK_END, END -> false;
        };
    }

    /** From the opening parenthesis to the closing one. */
    CallArguments arguments() {
        tokens.enter();
        tokens.expectOperator("(");
        List<Expression> positional = new ArrayList<>();
        List<Expression.Named> named = new ArrayList<>();
        List<Expression> spread = new ArrayList<>();
        List<Expression> spreadNamed = new ArrayList<>();
        while (!tokens.isOperator(")")) {
            if (tokens.skipOperator("*")) {
                spread.add(expressions.expression());
            } else if (tokens.skipOperator("**")) {
                spreadNamed.add(expressions.expression());
            } else if (tokens.is(Token.Kind.NAME) && tokens.nextIsOperator("=")) {
                String name = tokens.next().text();
                tokens.expectOperator("=");
                named.add(new Expression.Named(name, expressions.expression()));
            } else if (named.isEmpty() && spread.isEmpty() && spreadNamed.isEmpty()) {
                positional.add(expressions.expression());
            } else {
                throw tokens.unexpected("arguments by position before those by name");
            }
            if (!tokens.skipOperator(",")) {
                break;
            }
        }
        tokens.expectOperator(")");
        tokens.leave();
        return new CallArguments(positional, named, spread, spreadNamed);
    }
}
