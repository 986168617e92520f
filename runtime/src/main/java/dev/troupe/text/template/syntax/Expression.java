package dev.troupe.text.template.syntax;

import dev.troupe.text.template.python.Operator;
import java.util.List;

/** What has a value: the language's expressions as a tree. */
public sealed interface Expression {
    record Constant(Object value) implements Expression {}

    record Name(String name) implements Expression {}

    record ListOf(List<Expression> elements) implements Expression {
        public ListOf {
            elements = List.copyOf(elements);
        }
    }

    record TupleOf(List<Expression> elements) implements Expression {
        public TupleOf {
            elements = List.copyOf(elements);
        }
    }

    record DictOf(List<Expression> keys, List<Expression> values) implements Expression {
        public DictOf {
            keys = List.copyOf(keys);
            values = List.copyOf(values);
        }
    }

    /** {@code object.name}: an attribute, or else an element. */
    record Attribute(Expression object, String name) implements Expression {}

    /** {@code object[key]}: an element, or else an attribute. */
    record Element(Expression object, Expression key) implements Expression {}

    /** {@code object[start:stop:step]}; a bound that is not written is the constant none. */
    record Slice(Expression object, Expression start, Expression stop, Expression step) implements Expression {}

    record Call(Expression callee, CallArguments arguments, int line) implements Expression {}

    record Filtered(Expression value, String filter, CallArguments arguments, int line) implements Expression {}

    record Tested(Expression value, String test, CallArguments arguments, int line) implements Expression {}

    record Not(Expression value) implements Expression {}

    record And(Expression left, Expression right) implements Expression {}

    record Or(Expression left, Expression right) implements Expression {}

    record Signed(Expression value, boolean minus) implements Expression {}

    record Binary(Operator operator, Expression left, Expression right) implements Expression {}

    /** {@code a ~ b ~ c}: their texts. */
    record Joined(List<Expression> parts) implements Expression {
        public Joined {
            parts = List.copyOf(parts);
        }
    }

    /** {@code a < b <= c}: each with the next. */
    record Compared(Expression first, List<Comparator> operators, List<Expression> others) implements Expression {
        public Compared {
            operators = List.copyOf(operators);
            others = List.copyOf(others);
        }
    }

    record Conditional(Expression condition, Expression value, Expression otherwise) implements Expression {}

    /** The value of an {@code if} without {@code else} whose condition is false. */
    record Nothing() implements Expression {}

    /** What stands between the parentheses of a call. */
    record CallArguments(
            List<Expression> positional, List<Named> named, List<Expression> spread, List<Expression> spreadNamed) {
        public static final CallArguments NONE = new CallArguments(List.of(), List.of(), List.of(), List.of());

        public CallArguments {
            positional = List.copyOf(positional);
            named = List.copyOf(named);
            spread = List.copyOf(spread);
            spreadNamed = List.copyOf(spreadNamed);
        }

        public boolean isEmpty() {
            return positional.isEmpty() && named.isEmpty() && spread.isEmpty() && spreadNamed.isEmpty();
        }
    }

    record Named(String name, Expression value) {}

    /** How two values are compared. */
    enum Comparator {
        EQUAL,
        NOT_EQUAL,
        LESS,
        AT_MOST,
        GREATER,
        AT_LEAST,
        IN,
        NOT_IN
    }
}
