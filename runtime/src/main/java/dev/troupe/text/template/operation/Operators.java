package dev.troupe.text.template.operation;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Numbers;
import dev.troupe.text.template.python.Operator;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.util.List;
import java.util.Objects;

/** Arithmetic of all values: numbers, and texts and lists that are added or repeated. */
public final class Operators {
    private Operators() {}

    /** @throws TemplateException.Failed if the operator does not take such values */
    public static Object apply(Operator operator, Object left, Object right, Budget budget) {
        if (left instanceof Markup || right instanceof Markup) {
            return marked(operator, left, right, budget);
        }
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            return Numbers.apply(operator, left, right);
        }
        if (operator == Operator.MODULO && left instanceof String format) {
            return PercentFormat.format(format, right, budget);
        }
        Undefined.refuse(left);
        Undefined.refuse(right);
        if (operator == Operator.ADD) {
            return add(left, right, budget);
        }
        if (operator == Operator.MULTIPLY && Numbers.isWhole(right)) {
            return repeat(left, right, budget);
        }
        if (operator == Operator.MULTIPLY && Numbers.isWhole(left)) {
            return repeat(right, left, budget);
        }
        throw unsupported(operator, left, right);
    }

    private static Object marked(Operator operator, Object left, Object right, Budget budget) {
        boolean adds = operator == Operator.ADD;
        boolean fills = operator == Operator.MODULO && left instanceof Markup;
        Object first = adds ? Markup.escapedText(left, budget) : Markup.plain(left);
        Object second = adds || fills ? Markup.escapedText(right, budget) : Markup.plain(right);
        Object result = apply(operator, first, second, budget);
        return operator == Operator.MODULO && !(left instanceof Markup) ? result : Markup.marked(result);
    }

    /** @throws TemplateException.Failed if it is no number */
    public static Object signed(Object value, boolean minus) {
        Undefined.refuse(value);
        if (!Numbers.isNumber(value)) {
            throw new TemplateException.Failed(
                    "bad operand type for unary %s: '%s'".formatted(minus ? "-" : "+", TypeName.of(value)));
        }
        return minus ? Numbers.negated(value) : Numbers.apply(Operator.ADD, value, 0L);
    }

    private static Object add(Object left, Object right, Budget budget) {
        if (left instanceof String a && right instanceof String b) {
            budget.text((long) a.length() + b.length());
            return a.concat(b);
        }
        if (left instanceof Tuple(List<Object> a) && right instanceof Tuple(List<Object> b)) {
            return new Tuple(Sequences.joined(a, b, budget));
        }
        if (Sequences.isList(left) && Sequences.isList(right)) {
            return Sequences.joined(list(left), list(right), budget);
        }
        throw unsupported(Operator.ADD, left, right);
    }

    private static Object repeat(Object value, Object times, Budget budget) {
        long count = Numbers.whole(times).bitLength() < Long.SIZE
                ? Numbers.whole(times).longValue()
                : Long.MAX_VALUE;
        return switch (value) {
            case String text -> Sequences.repeated(text, count, budget);
            case Tuple(List<Object> elements) -> new Tuple(Sequences.repeated(elements, count, budget));
            default -> {
                if (!Sequences.isList(value)) {
                    throw unsupported(Operator.MULTIPLY, value, times);
                }
                yield Sequences.repeated(list(value), count, budget);
            }
        };
    }

    private static List<Object> list(Object value) {
        return Objects.requireNonNull(Sequences.indexed(value));
    }

    private static TemplateException unsupported(Operator operator, Object left, Object right) {
        return new TemplateException.Failed("unsupported operand types for %s: '%s' and '%s'"
                .formatted(operator.sign(), TypeName.of(left), TypeName.of(right)));
    }
}
