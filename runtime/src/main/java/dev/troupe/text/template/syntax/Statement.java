package dev.troupe.text.template.syntax;

import java.util.List;
import java.util.Optional;

/** What a template does, one after the other: text, prints and blocks. */
public sealed interface Statement {
    /** From 1. */
    int line();

    record Data(String text, int line) implements Statement {}

    record Print(Expression value, int line) implements Statement {}

    record If(Expression condition, List<Statement> body, List<Statement> otherwise, int line) implements Statement {
        public If {
            body = List.copyOf(body);
            otherwise = List.copyOf(otherwise);
        }
    }

    /** @param condition of elements that are visited; a constant true if none is written */
    record For(
            Target target,
            Expression elements,
            Expression condition,
            boolean recursive,
            List<Statement> body,
            List<Statement> otherwise,
            int line)
            implements Statement {
        public For {
            body = List.copyOf(body);
            otherwise = List.copyOf(otherwise);
        }
    }

    record Break(int line) implements Statement {}

    record Continue(int line) implements Statement {}

    record Set(Target target, Expression value, int line) implements Statement {}

    /** {@code set} with a body: its text, through filters. */
    record SetBlock(Target target, FilterChain filters, List<Statement> body, int line) implements Statement {
        public SetBlock {
            body = List.copyOf(body);
        }
    }

    record Macro(String name, Signature signature, int line) implements Statement {}

    /** A call of a macro, which gets the body as {@code caller}. */
    record CallBlock(Expression.Call call, Signature caller, int line) implements Statement {}

    record FilterBlock(FilterChain filters, List<Statement> body, int line) implements Statement {
        public FilterBlock {
            body = List.copyOf(body);
        }
    }

    record With(List<Target> targets, List<Expression> values, List<Statement> body, int line) implements Statement {
        public With {
            targets = List.copyOf(targets);
            values = List.copyOf(values);
            body = List.copyOf(body);
        }
    }

    /** {@code generation}: what the model said, marked for training. It prints its body. */
    record Generation(List<Statement> body, int line) implements Statement {
        public Generation {
            body = List.copyOf(body);
        }
    }

    /** Parameters, the values of the last ones if they are not given, and what is done with them. */
    record Signature(List<String> parameters, List<Expression> defaults, List<Statement> body) {
        public Signature {
            parameters = List.copyOf(parameters);
            defaults = List.copyOf(defaults);
            body = List.copyOf(body);
        }
    }

    /** Filters that a text goes through, as an expression over it; nothing if there are none. */
    record FilterChain(Optional<Expression> applied) {
        /** The name of the text in that expression; no template can write it. */
        public static final String TEXT = " text";
    }

    /** Where a value goes. */
    sealed interface Target {
        record Variable(String name) implements Target {}

        /** {@code namespace.attribute}. */
        record Field(String namespace, String attribute) implements Target {}

        /** Several, which share the elements of a value. */
        record Several(List<Target> targets) implements Target {
            public Several {
                targets = List.copyOf(targets);
            }
        }
    }
}
