package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.operation.Operators;
import dev.troupe.text.template.python.Comparison;
import dev.troupe.text.template.python.Numbers;
import dev.troupe.text.template.python.Operator;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Generator;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.Undefined;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** The tests: what {@code value is name(arguments)} asks. */
public final class Tests {
    @FunctionalInterface
    private interface Test {
        boolean apply(Object value, Arguments arguments, Run run);
    }

    private static final Map<String, Test> BY_NAME = byName();

    private Tests() {}

    public static boolean isTest(String name) {
        return BY_NAME.containsKey(name);
    }

    /** @throws TemplateException.Failed if there is no such test */
    public static boolean apply(String name, Object value, Arguments arguments, Run run) {
        Test test = BY_NAME.get(name);
        if (test == null) {
            throw new TemplateException.Failed(
                    "there is no test '%s'; these work: %s".formatted(name, BY_NAME.keySet()));
        }
        return test.apply(value, arguments, run);
    }

    private static Map<String, Test> byName() {
        Map<String, Test> tests = new TreeMap<>();
        addKinds(tests);
        addComparisons(tests);
        tests.put("in", (value, arguments, run) -> Comparison.contains(one(arguments), value, run.budget()));
        tests.put("divisibleby", (value, arguments, run) -> remainder(value, one(arguments), run) == 0);
        tests.put("even", (value, arguments, run) -> remainder(value, 2L, run) == 0);
        tests.put("odd", (value, arguments, run) -> remainder(value, 2L, run) == 1);
        tests.put("sameas", (value, arguments, run) -> Comparison.same(value, one(arguments)));
        tests.put("lower", (value, arguments, run) -> isCased(value, false, run));
        tests.put("upper", (value, arguments, run) -> isCased(value, true, run));
        tests.put("filter", (value, arguments, run) -> value instanceof String name && Filters.isFilter(name));
        tests.put("test", (value, arguments, run) -> value instanceof String name && isTest(name));
        return tests;
    }

    private static void addKinds(Map<String, Test> tests) {
        tests.put("defined", (value, arguments, run) -> !(value instanceof Undefined));
        tests.put("undefined", (value, arguments, run) -> value instanceof Undefined);
        tests.put("none", (value, arguments, run) -> value == None.NONE);
        tests.put("boolean", (value, arguments, run) -> value instanceof Boolean);
        tests.put("true", (value, arguments, run) -> value.equals(true));
        tests.put("false", (value, arguments, run) -> value.equals(false));
        tests.put("integer", (value, arguments, run) -> Numbers.isWhole(value) && !(value instanceof Boolean));
        tests.put("float", (value, arguments, run) -> value instanceof Double);
        tests.put("number", (value, arguments, run) -> Numbers.isNumber(value));
        tests.put("string", (value, arguments, run) -> Markup.plain(value) instanceof String);
        tests.put("mapping", (value, arguments, run) -> value instanceof Dict);
        tests.put("sequence", (value, arguments, run) -> isSequence(value));
        tests.put("iterable", (value, arguments, run) -> isSequence(value) || value instanceof Generator);
        tests.put("callable", (value, arguments, run) -> value instanceof Callable);
        tests.put("escaped", (value, arguments, run) -> value instanceof Markup);
    }

    private static boolean isSequence(Object value) {
        return switch (Markup.plain(value)) {
            case String text -> true;
            case List<?> list -> true;
            case Tuple tuple -> true;
            case Dict dict -> true;
            case Undefined undefined -> true;
            default -> false;
        };
    }

    private static void addComparisons(Map<String, Test> tests) {
        Test equal = (value, arguments, run) -> Comparison.equal(value, one(arguments), run.budget());
        Test less = (value, arguments, run) -> order(value, arguments, run) < 0;
        Test greater = (value, arguments, run) -> order(value, arguments, run) > 0;
        List.of("eq", "equalto", "==").forEach(name -> tests.put(name, equal));
        List.of("lt", "lessthan", "<").forEach(name -> tests.put(name, less));
        List.of("gt", "greaterthan", ">").forEach(name -> tests.put(name, greater));
        List.of("ne", "!=")
                .forEach(name -> tests.put(name, (value, arguments, run) -> !equal.apply(value, arguments, run)));
        List.of("le", "<=")
                .forEach(name -> tests.put(name, (value, arguments, run) -> order(value, arguments, run) <= 0));
        List.of("ge", ">=")
                .forEach(name -> tests.put(name, (value, arguments, run) -> order(value, arguments, run) >= 0));
    }

    private static int order(Object value, Arguments arguments, Run run) {
        return Comparison.order(value, one(arguments), run.budget());
    }

    private static Object one(Arguments arguments) {
        return arguments.bind("test", "other").required("other");
    }

    private static double remainder(Object value, Object divisor, Run run) {
        return Numbers.real(Operators.apply(Operator.MODULO, value, divisor, run.budget()));
    }

    private static boolean isCased(Object value, boolean upper, Run run) {
        String text = Text.str(value, run.budget());
        run.budget().text(text.length());
        String cased = upper ? text.toUpperCase(Locale.ROOT) : text.toLowerCase(Locale.ROOT);
        return text.equals(cased)
                && text.codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c));
    }
}
