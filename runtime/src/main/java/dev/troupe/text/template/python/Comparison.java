package dev.troupe.text.template.python;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.math.BigInteger;
import java.util.List;
import java.util.Objects;

/** Which values are true, equal, less, or within others. */
public final class Comparison {
    private Comparison() {}

    public static boolean truth(Object value) {
        return switch (value) {
            case Boolean flag -> flag;
            case None none -> false;
            case Undefined undefined -> false;
            case String text -> !text.isEmpty();
            case Markup(String text) -> !text.isEmpty();
            case Long number -> number != 0;
            case Double number -> number != 0;
            case BigInteger number -> number.signum() != 0;
            case Tuple(List<Object> elements) -> !elements.isEmpty();
            case List<?> list -> !list.isEmpty();
            case Dict dict -> dict.size() > 0;
            default -> true;
        };
    }

    public static boolean equal(Object first, Object second, Budget budget) {
        Object left = Markup.plain(first);
        Object right = Markup.plain(second);
        budget.step();
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            return Numbers.equal(left, right);
        }
        return switch (left) {
            case String a -> {
                budget.look(a.length());
                yield a.equals(right);
            }
            case Undefined undefined -> right instanceof Undefined;
            case Tuple(List<Object> a) -> right instanceof Tuple(List<Object> b) && equalElements(a, b, budget);
            case Dict a -> right instanceof Dict b && equalItems(a, b, budget);
            default -> {
                List<Object> a = Sequences.indexed(left);
                List<Object> b = right instanceof Tuple ? null : Sequences.indexed(right);
                yield (a != null && b != null) ? equalElements(a, b, budget) : same(left, right);
            }
        };
    }

    /** Whether they are one object: values that cannot change are if they are equal and of one type. */
    @SuppressWarnings("ReferenceEquality") // that is what 'sameas' asks
    public static boolean same(Object left, Object right) {
        return left == right
                || (left.getClass() == right.getClass()
                        && (Numbers.isNumber(left) || left instanceof String)
                        && left.equals(right));
    }

    private static boolean equalElements(List<Object> a, List<Object> b, Budget budget) {
        if (a.size() != b.size()) {
            return false;
        }
        budget.enter();
        boolean equal = true;
        for (int i = 0; equal && i < a.size(); i++) {
            equal = equal(a.get(i), b.get(i), budget);
        }
        budget.leave();
        return equal;
    }

    private static boolean equalItems(Dict a, Dict b, Budget budget) {
        if (a.size() != b.size()) {
            return false;
        }
        budget.enter();
        boolean equal = true;
        for (Dict.Item item : a.items()) {
            Object other = b.get(item.key(), budget);
            equal = equal && other != null && equal(item.value(), other, budget);
        }
        budget.leave();
        return equal;
    }

    /**
     * Negative, zero or positive, as {@code first} is less than, equal to or greater than {@code second}.
     *
     * @throws TemplateException.Failed if Python does not order such values
     */
    public static int order(Object first, Object second, Budget budget) {
        Object left = Markup.plain(first);
        Object right = Markup.plain(second);
        budget.step();
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            return Numbers.compare(left, right);
        }
        if (left instanceof String a && right instanceof String b) {
            budget.look(Math.min(a.length(), b.length()));
            return orderTexts(a, b);
        }
        if (left instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (right instanceof Undefined undefined) {
            throw undefined.failure();
        }
        List<Object> a = Sequences.indexed(left);
        List<Object> b = Sequences.indexed(right);
        if (a == null || b == null || left instanceof Tuple != right instanceof Tuple) {
            throw new TemplateException.Failed("'%s' and '%s' cannot be compared, %s"
                    .formatted(TypeName.of(left), TypeName.of(right), "expected two numbers, two texts or two lists"));
        }
        return orderElements(a, b, budget);
    }

    private static int orderElements(List<Object> a, List<Object> b, Budget budget) {
        for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
            if (!equal(a.get(i), b.get(i), budget)) {
                budget.enter();
                int order = order(a.get(i), b.get(i), budget);
                budget.leave();
                return order;
            }
        }
        return Integer.compare(a.size(), b.size());
    }

    /** By code points: a surrogate pair comes behind all single chars. */
    private static int orderTexts(String a, String b) {
        for (int i = 0; i < Math.min(a.length(), b.length()); i++) {
            char x = a.charAt(i);
            char y = b.charAt(i);
            if (x != y) {
                boolean pairs = Character.isSurrogate(x) != Character.isSurrogate(y);
                return pairs ? Boolean.compare(Character.isSurrogate(x), Character.isSurrogate(y)) : x - y;
            }
        }
        return Integer.compare(a.length(), b.length());
    }

    /**
     * What {@code wanted in container} gives.
     *
     * @throws TemplateException.Failed if nothing can be in such a container
     */
    public static boolean contains(Object container, Object wanted, Budget budget) {
        Object item = Markup.plain(wanted);
        return switch (Markup.plain(container)) {
            case String text -> {
                if (!(item instanceof String part)) {
                    throw new TemplateException.Failed(
                            "'in' of a text needs a text on its left, not %s".formatted(TypeName.of(item)));
                }
                budget.search(text.length(), part.length());
                yield text.contains(part);
            }
            case Dict dict -> Objects.nonNull(dict.get(item, budget));
            default -> Sequences.elements(container, budget).stream().anyMatch(e -> equal(e, item, budget));
        };
    }
}
