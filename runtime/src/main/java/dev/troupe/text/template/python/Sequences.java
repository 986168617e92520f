package dev.troupe.text.template.python;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Generator;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.Range;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What has elements: lists, tuples, texts, the keys of dicts. */
public final class Sequences {
    private Sequences() {}

    /** The elements of a list or tuple, or null. */
    public static @Nullable List<Object> indexed(Object value) {
        return switch (value) {
            case Tuple(List<Object> elements) -> elements;
            case List<?> list -> Collections.unmodifiableList(list);
            default -> null;
        };
    }

    /**
     * What a loop over the value visits.
     *
     * @throws TemplateException.Failed if it has no elements
     */
    public static List<Object> elements(Object value, Budget budget) {
        List<Object> indexed = indexed(value);
        if (indexed != null) {
            return indexed;
        }
        return switch (Markup.plain(value)) {
            case String text -> {
                budget.list(text.length());
                yield CodePoints.each(text);
            }
            case Dict dict -> dict.keys(budget);
            case Generator generator -> generator.take();
            case Undefined undefined -> List.of();
            default -> throw new TemplateException.Failed("'%s' object is not iterable".formatted(TypeName.of(value)));
        };
    }

    /** @throws TemplateException.Failed if it has no length */
    public static long length(Object value, Budget budget) {
        return switch (Markup.plain(value)) {
            case String text -> {
                budget.look(text.length());
                yield CodePoints.length(text);
            }
            case Tuple(List<Object> elements) -> elements.size();
            case List<?> list -> list.size();
            case Dict dict -> dict.size();
            case Undefined undefined -> 0;
            default ->
                throw new TemplateException.Failed("object of type '%s' has no len()".formatted(TypeName.of(value)));
        };
    }

    /** One list behind the other. */
    public static List<Object> joined(List<Object> left, List<Object> right, Budget budget) {
        budget.list((long) left.size() + right.size());
        List<Object> joined = new ArrayList<>(left.size() + right.size());
        joined.addAll(left);
        joined.addAll(right);
        return joined;
    }

    /** A list {@code times} times. */
    public static List<Object> repeated(List<Object> list, long times, Budget budget) {
        budget.list(product(list.size(), times));
        List<Object> repeated = new ArrayList<>();
        for (long i = 0; i < times && !list.isEmpty(); i++) {
            repeated.addAll(list);
        }
        return repeated;
    }

    /** A text {@code times} times. */
    public static String repeated(String text, long times, Budget budget) {
        budget.text(product(text.length(), times));
        return text.isEmpty() || times <= 0 ? "" : text.repeat((int) times);
    }

    /** A range is no list: it cannot be added to one. */
    public static boolean isList(Object value) {
        return value instanceof List<?> && !(value instanceof Range);
    }

    private static long product(int size, long times) {
        return size == 0 || times <= 0 ? 0 : times > Long.MAX_VALUE / size ? Long.MAX_VALUE : size * times;
    }
}
