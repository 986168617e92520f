package dev.troupe.text.template.render;

import dev.troupe.text.template.library.Access;
import dev.troupe.text.template.library.Filters;
import dev.troupe.text.template.library.Run;
import dev.troupe.text.template.library.Tests;
import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.operation.Operators;
import dev.troupe.text.template.python.Comparison;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.syntax.Expression;
import dev.troupe.text.template.syntax.Expression.CallArguments;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The values of expressions. */
final class Evaluator {
    private final Run run;
    private final Budget budget;

    Evaluator(Run run) {
        this.run = run;
        this.budget = run.budget();
    }

    boolean truth(Expression expression, Scope scope) {
        return Comparison.truth(value(expression, scope));
    }

    Object value(Expression expression, Scope scope) {
        budget.enter();
        Object value = switch (expression) {
            case Expression.Constant constant -> constant.value();
            case Expression.Name name -> variable(name.name(), scope);
            case Expression.Nothing nothing ->
                new Undefined("an 'if' without 'else' whose condition is false has no value");
            case Expression.ListOf list -> all(list.elements(), scope);
            case Expression.TupleOf tuple -> new Tuple(all(tuple.elements(), scope));
            case Expression.DictOf dict -> dict(dict, scope);
            case Expression.Attribute attribute ->
                Access.attribute(value(attribute.object(), scope), attribute.name(), run);
            case Expression.Element element ->
                Access.element(value(element.object(), scope), value(element.key(), scope), run);
            case Expression.Slice slice -> slice(slice, scope);
            case Expression.Call call -> call(call, scope, Map.of());
            case Expression.Filtered filtered -> filtered(filtered, scope);
            case Expression.Tested tested -> tested(tested, scope);
            case Expression.Not not -> !truth(not.value(), scope);
            case Expression.And and -> both(and, scope);
            case Expression.Or or -> either(or, scope);
            case Expression.Signed signed -> Operators.signed(value(signed.value(), scope), signed.minus());
            case Expression.Binary binary ->
                Operators.apply(binary.operator(), value(binary.left(), scope), value(binary.right(), scope), budget);
            case Expression.Joined joined -> joined(joined, scope);
            case Expression.Compared compared -> compared(compared, scope);
            case Expression.Conditional conditional ->
                value(truth(conditional.condition(), scope) ? conditional.value() : conditional.otherwise(), scope);
        };
        budget.leave();
        return value;
    }

    private static Object variable(String name, Scope scope) {
        Object value = scope.get(name);
        return value == null ? Undefined.name(name) : value;
    }

    private List<Object> all(List<Expression> expressions, Scope scope) {
        budget.list(expressions.size());
        List<Object> values = new ArrayList<>(expressions.size());
        for (Expression expression : expressions) {
            values.add(value(expression, scope));
        }
        return values;
    }

    private Object dict(Expression.DictOf expression, Scope scope) {
        Dict dict = new Dict();
        for (int i = 0; i < expression.keys().size(); i++) {
            dict.put(
                    value(expression.keys().get(i), scope),
                    value(expression.values().get(i), scope),
                    budget);
        }
        return dict;
    }

    private Object slice(Expression.Slice slice, Scope scope) {
        return Access.slice(
                value(slice.object(), scope),
                value(slice.start(), scope),
                value(slice.stop(), scope),
                value(slice.step(), scope),
                run);
    }

    private Object both(Expression.And and, Scope scope) {
        Object left = value(and.left(), scope);
        return Comparison.truth(left) ? value(and.right(), scope) : left;
    }

    private Object either(Expression.Or or, Scope scope) {
        Object left = value(or.left(), scope);
        return Comparison.truth(left) ? left : value(or.right(), scope);
    }

    private Object joined(Expression.Joined joined, Scope scope) {
        StringBuilder out = new StringBuilder();
        for (Expression part : joined.parts()) {
            String text = Text.str(value(part, scope), budget);
            budget.text(text.length());
            out.append(text);
        }
        return out.toString();
    }

    private boolean compared(Expression.Compared compared, Scope scope) {
        Object left = value(compared.first(), scope);
        for (int i = 0; i < compared.operators().size(); i++) {
            Object right = value(compared.others().get(i), scope);
            if (!holds(compared.operators().get(i), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private boolean holds(Expression.Comparator comparator, Object left, Object right) {
        return switch (comparator) {
            case EQUAL -> Comparison.equal(left, right, budget);
            case NOT_EQUAL -> !Comparison.equal(left, right, budget);
            case LESS -> Comparison.order(left, right, budget) < 0;
            case AT_MOST -> Comparison.order(left, right, budget) <= 0;
            case GREATER -> Comparison.order(left, right, budget) > 0;
            case AT_LEAST -> Comparison.order(left, right, budget) >= 0;
            case IN -> Comparison.contains(right, left, budget);
            case NOT_IN -> !Comparison.contains(right, left, budget);
        };
    }

    private Object filtered(Expression.Filtered filtered, Scope scope) {
        Object value = value(filtered.value(), scope);
        Arguments arguments = arguments(filtered.arguments(), scope, Map.of());
        try {
            return Filters.apply(filtered.filter(), value, arguments, run);
        } catch (TemplateException e) {
            throw e.at(filtered.line());
        }
    }

    private boolean tested(Expression.Tested tested, Scope scope) {
        Object value = value(tested.value(), scope);
        Arguments arguments = arguments(tested.arguments(), scope, Map.of());
        try {
            return Tests.apply(tested.test(), value, arguments, run);
        } catch (TemplateException e) {
            throw e.at(tested.line());
        }
    }

    /** @param more named arguments besides those that are written */
    Object call(Expression.Call call, Scope scope, Map<String, Object> more) {
        Object callee = value(call.callee(), scope);
        Arguments arguments = arguments(call.arguments(), scope, more);
        try {
            return switch (callee) {
                case Callable callable -> callable.call(arguments);
                case Undefined undefined -> throw undefined.failure();
                default ->
                    throw new TemplateException.Failed("'%s' object is not callable".formatted(TypeName.of(callee)));
            };
        } catch (TemplateException e) {
            throw e.at(call.line());
        }
    }

    private Arguments arguments(CallArguments written, Scope scope, Map<String, Object> more) {
        if (written.isEmpty() && more.isEmpty()) {
            return Arguments.NONE;
        }
        List<Object> positional = all(written.positional(), scope);
        for (Expression spread : written.spread()) {
            positional = Sequences.joined(positional, Sequences.elements(value(spread, scope), budget), budget);
        }
        Map<String, Object> named = new LinkedHashMap<>();
        for (Expression.Named one : written.named()) {
            named.put(one.name(), value(one.value(), scope));
        }
        for (Expression spread : written.spreadNamed()) {
            if (!(value(spread, scope) instanceof Dict dict)) {
                throw new TemplateException.Failed("arguments behind ** must be a mapping");
            }
            dict.items().forEach(item -> named.put(Text.str(item.key(), budget), item.value()));
        }
        named.putAll(more);
        return new Arguments(positional, named);
    }

    /** The text of a value that is printed. */
    String text(Object value) {
        return Text.str(Markup.plain(value), budget);
    }
}
