package dev.troupe.text.template.render;

import dev.troupe.text.template.library.Run;
import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.syntax.Expression;
import dev.troupe.text.template.syntax.Statement;
import dev.troupe.text.template.syntax.Statement.FilterChain;
import dev.troupe.text.template.syntax.Statement.Target;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.Namespace;
import dev.troupe.text.template.value.Undefined;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** Does the statements of one template once. */
public final class Renderer {
    private final Budget budget;
    private final Evaluator evaluator;
    private StringBuilder out = new StringBuilder();
    /** Whether {@link #out} is a text of its own: the body of a macro or of a {@code set}. */
    private boolean captured;

    /** How a statement ended. */
    private enum End {
        NORMAL,
        BREAK,
        CONTINUE
    }

    private Renderer(Run run) {
        this.budget = run.budget();
        this.evaluator = new Evaluator(run);
    }

    /**
     * Renders a template.
     *
     * @param variables by name; the map is left as it is
     * @throws TemplateException if it refuses, fails, or reaches a limit
     */
    public static String render(List<Statement> template, Map<String, Object> variables, Run run) {
        Renderer renderer = new Renderer(run);
        renderer.all(template, new Scope(new Scope(null, Map.copyOf(variables))));
        return renderer.out.toString();
    }

    /** What the statements print. */
    String textOf(List<Statement> statements, Scope scope) {
        return captured(() -> all(statements, scope));
    }

    private String captured(Runnable printing) {
        StringBuilder outer = out;
        boolean outerCaptured = captured;
        out = new StringBuilder();
        captured = true;
        budget.enter();
        printing.run();
        budget.leave();
        String text = out.toString();
        out = outer;
        captured = outerCaptured;
        return text;
    }

    Object value(Expression expression, Scope scope) {
        return evaluator.value(expression, scope);
    }

    private End all(List<Statement> statements, Scope scope) {
        for (Statement statement : statements) {
            End end = one(statement, scope);
            if (end != End.NORMAL) {
                return end;
            }
        }
        return End.NORMAL;
    }

    private End one(Statement statement, Scope scope) {
        try {
            budget.enter();
            End end = perform(statement, scope);
            budget.leave();
            return end;
        } catch (TemplateException e) {
            throw e.at(statement.line());
        }
    }

    private End perform(Statement statement, Scope scope) {
        switch (statement) {
            case Statement.Data data -> print(data.text());
            case Statement.Print print -> print(evaluator.text(evaluator.value(print.value(), scope)));
            case Statement.If branch -> {
                return all(evaluator.truth(branch.condition(), scope) ? branch.body() : branch.otherwise(), scope);
            }
            case Statement.For loop -> {
                return loop(loop, evaluator.value(loop.elements(), scope), scope, 0);
            }
            case Statement.Break stop -> {
                return End.BREAK;
            }
            case Statement.Continue next -> {
                return End.CONTINUE;
            }
            case Statement.Set set -> assign(set.target(), evaluator.value(set.value(), scope), scope);
            case Statement.SetBlock set ->
                assign(set.target(), filtered(set.filters(), textOf(set.body(), new Scope(scope)), scope), scope);
            case Statement.Macro macro ->
                scope.set(macro.name(), new Macro(macro.name(), macro.signature(), scope, this));
            case Statement.CallBlock block -> {
                Macro caller = new Macro("caller", block.caller(), scope, this);
                print(evaluator.text(evaluator.call(block.call(), scope, Map.of("caller", caller))));
            }
            case Statement.FilterBlock block ->
                print(evaluator.text(filtered(block.filters(), textOf(block.body(), new Scope(scope)), scope)));
            case Statement.With with -> {
                Scope inner = new Scope(scope);
                for (int i = 0; i < with.targets().size(); i++) {
                    assign(with.targets().get(i), evaluator.value(with.values().get(i), scope), inner);
                }
                return all(with.body(), inner);
            }
            case Statement.Generation generation -> {
                return all(generation.body(), new Scope(scope));
            }
        }
        return End.NORMAL;
    }

    private void print(String text) {
        if (captured) {
            budget.text(text.length());
        } else {
            budget.output(text.length());
        }
        out.append(text);
    }

    private Object filtered(FilterChain filters, String text, Scope scope) {
        if (filters.applied().isEmpty()) {
            return text;
        }
        Scope inner = new Scope(scope);
        inner.set(FilterChain.TEXT, text);
        return evaluator.value(filters.applied().get(), inner);
    }

    private End loop(Statement.For statement, Object elements, Scope scope, int depth) {
        Predicate<Object> condition = element -> {
            Scope inner = new Scope(scope);
            assign(statement.target(), element, inner);
            return evaluator.truth(statement.condition(), inner);
        };
        Callable again = arguments -> {
            Object others = arguments.bind("loop", "elements").required("elements");
            return captured(() -> loop(statement, others, scope, depth + 1));
        };
        boolean always = statement.condition() instanceof Expression.Constant;
        Loop loop = new Loop(
                Sequences.elements(elements, budget),
                always ? element -> true : condition,
                statement.recursive() ? again : null,
                depth,
                budget);
        Object element = loop.next();
        if (element == null) {
            return all(statement.otherwise(), new Scope(scope));
        }
        for (; element != null; element = loop.next()) {
            Scope inner = new Scope(scope);
            inner.set("loop", loop);
            assign(statement.target(), element, inner);
            if (all(statement.body(), inner) == End.BREAK) {
                break;
            }
        }
        return End.NORMAL;
    }

    private void assign(Target target, Object value, Scope scope) {
        switch (target) {
            case Target.Variable(String name) -> scope.set(name, value);
            case Target.Field(String name, String attribute) -> {
                if (!(scope.get(name) instanceof Namespace namespace)) {
                    throw new TemplateException.Failed(
                            "cannot set '%s.%s': '%s' is no namespace".formatted(name, attribute, name));
                }
                namespace.set(attribute, value);
            }
            case Target.Several(List<Target> targets) -> {
                if (value instanceof Undefined undefined) {
                    throw undefined.failure();
                }
                List<Object> values = Sequences.elements(value, budget);
                if (values.size() != targets.size()) {
                    throw new TemplateException.Failed(
                            "%d values cannot be shared among %d variables".formatted(values.size(), targets.size()));
                }
                for (int i = 0; i < targets.size(); i++) {
                    assign(targets.get(i), values.get(i), scope);
                }
            }
        }
    }
}
