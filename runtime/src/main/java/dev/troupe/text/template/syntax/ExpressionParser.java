package dev.troupe.text.template.syntax;

import dev.troupe.text.template.python.Operator;
import dev.troupe.text.template.syntax.Expression.Comparator;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Expressions from tokens, by falling precedence: {@code if}, or, and, not, comparisons, +, ~, *, **, signs, filters. */
final class ExpressionParser {
    private static final Map<String, Comparator> COMPARATORS = Map.of(
            "==", Comparator.EQUAL,
            "!=", Comparator.NOT_EQUAL,
            "<", Comparator.LESS,
            "<=", Comparator.AT_MOST,
            ">", Comparator.GREATER,
            ">=", Comparator.AT_LEAST);
    private static final Map<String, Operator> SUMS = Map.of("+", Operator.ADD, "-", Operator.SUBTRACT);
    private static final Map<String, Operator> PRODUCTS =
            Map.of("*", Operator.MULTIPLY, "/", Operator.DIVIDE, "//", Operator.FLOOR_DIVIDE, "%", Operator.MODULO);
    private static final Map<String, Operator> POWERS = Map.of("**", Operator.POWER);

    private final TokenStream tokens;
    private final OperandParser operands;

    ExpressionParser(TokenStream tokens) {
        this.tokens = tokens;
        this.operands = new OperandParser(tokens, this);
    }

    Expression expression() {
        tokens.enter();
        Expression value = or();
        while (tokens.skipName("if")) {
            Expression condition = or();
            Expression otherwise = tokens.skipName("else") ? expression() : new Expression.Nothing();
            value = new Expression.Conditional(condition, value, otherwise);
        }
        tokens.leave();
        return value;
    }

    /** An expression without {@code if}. */
    Expression or() {
        Expression left = and();
        while (tokens.skipName("or")) {
            left = new Expression.Or(left, and());
        }
        return left;
    }

    private Expression and() {
        Expression left = not();
        while (tokens.skipName("and")) {
            left = new Expression.And(left, not());
        }
        return left;
    }

    private Expression not() {
        if (!tokens.isName("not")) {
            return comparison();
        }
        tokens.enter();
        tokens.next();
        Expression value = new Expression.Not(not());
        tokens.leave();
        return value;
    }

    private Expression comparison() {
        Expression first = sum();
        List<Comparator> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        for (Comparator next = comparator(); next != null; next = comparator()) {
            operators.add(next);
            others.add(sum());
        }
        return operators.isEmpty() ? first : new Expression.Compared(first, operators, others);
    }

    private @Nullable Comparator comparator() {
        if (tokens.is(Token.Kind.OPERATOR)) {
            Comparator comparator = COMPARATORS.get(tokens.current().text());
            if (comparator != null) {
                tokens.next();
            }
            return comparator;
        }
        if (tokens.skipName("in")) {
            return Comparator.IN;
        }
        if (tokens.isName("not") && tokens.nextIsName("in")) {
            tokens.next();
            tokens.next();
            return Comparator.NOT_IN;
        }
        return null;
    }

    private Expression sum() {
        Expression left = joined();
        for (Operator next = operator(SUMS); next != null; next = operator(SUMS)) {
            left = new Expression.Binary(next, left, joined());
        }
        return left;
    }

    private Expression joined() {
        Expression first = product();
        if (!tokens.isOperator("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (tokens.skipOperator("~")) {
            parts.add(product());
        }
        return new Expression.Joined(parts);
    }

    private Expression product() {
        Expression left = power();
        for (Operator next = operator(PRODUCTS); next != null; next = operator(PRODUCTS)) {
            left = new Expression.Binary(next, left, power());
        }
        return left;
    }

    private Expression power() {
        Expression left = operands.operand(true);
        for (Operator next = operator(POWERS); next != null; next = operator(POWERS)) {
            left = new Expression.Binary(next, left, operands.operand(true));
        }
        return left;
    }

    private @Nullable Operator operator(Map<String, Operator> known) {
        Operator operator =
                tokens.is(Token.Kind.OPERATOR) ? known.get(tokens.current().text()) : null;
        if (operator != null) {
            tokens.next();
        }
        return operator;
    }

    /** One expression, or several with commas as a tuple; may be empty only between parentheses. */
    Expression tuple(boolean withIf, boolean inParentheses, String endName) {
        List<Expression> elements = new ArrayList<>();
        boolean comma = false;
        while (!endsTuple(endName)) {
            elements.add(withIf ? expression() : or());
            if (!tokens.skipOperator(",")) {
                break;
            }
            comma = true;
        }
        if (elements.isEmpty() && !inParentheses) {
            throw tokens.unexpected("an expression");
        }
        return elements.size() == 1 && !comma ? elements.getFirst() : new Expression.TupleOf(elements);
    }

    private boolean endsTuple(String endName) {
        return tokens.is(Token.Kind.PRINT_END)
                || tokens.is(Token.Kind.BLOCK_END)
                || tokens.isOperator(")")
                || (!endName.isEmpty() && tokens.isName(endName));
    }

    /** Filters behind {@code value}, of which the first has no bar before it. */
    Expression filters(Expression value) {
        return operands.filters(value, true);
    }

    Expression.@Nullable Call call() {
        return operands.operand(true) instanceof Expression.Call call ? call : null;
    }
}
