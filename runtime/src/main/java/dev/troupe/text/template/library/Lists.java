package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Comparison;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Undefined;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;

/** What several filters do with lists. */
final class Lists {
    private Lists() {}

    /** The places at which a list has the one argument. */
    static List<Long> places(List<Object> list, Arguments arguments, Run run) {
        Object wanted = arguments.bind("list method", "value").required("value");
        List<Long> places = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            if (Comparison.equal(list.get(i), wanted, run.budget())) {
                places.add((long) i);
            }
        }
        return places;
    }

    /**
     * What gives the part of an element that {@code attribute} names: a number, or names with dots between, or none for the
     * element itself.
     */
    static UnaryOperator<Object> part(Object attribute, Object otherwise, Run run) {
        if (attribute == None.NONE) {
            return element -> element;
        }
        if (!(attribute instanceof String path)) {
            return element -> defined(Access.element(element, attribute, run), otherwise);
        }
        List<Object> keys = new ArrayList<>();
        for (String name : path.split("\\.", -1)) {
            boolean number = name.matches("[0-9]{1,9}");
            keys.add(number ? (Object) Long.valueOf(name) : name);
        }
        return element -> {
            Object part = element;
            for (Object key : keys) {
                part = defined(Access.element(part, key, run), otherwise);
            }
            return part;
        };
    }

    private static Object defined(Object value, Object otherwise) {
        return value instanceof Undefined && otherwise != None.NONE ? otherwise : value;
    }

    /** Texts without their case, unless it counts. */
    static Object folded(Object value, boolean caseSensitive, Run run) {
        if (caseSensitive || !(value instanceof String text)) {
            return value;
        }
        run.budget().text(text.length());
        return text.toLowerCase(Locale.ROOT);
    }

    /** Sorted by what {@code key} gives; equal ones keep their order. */
    static List<Object> sorted(List<Object> list, UnaryOperator<Object> key, boolean reverse, Run run) {
        record Keyed(Object key, Object element) {}
        run.budget().list(2L * list.size());
        List<Keyed> keyed = new ArrayList<>();
        list.forEach(element -> keyed.add(new Keyed(key.apply(element), element)));
        Comparator<Keyed> order = (a, b) -> Comparison.order(a.key(), b.key(), run.budget());
        try {
            keyed.sort(reverse ? order.reversed() : order);
        } catch (IllegalArgumentException e) {
            throw new TemplateException.Failed("the elements have no order: " + e.getMessage());
        }
        List<Object> sorted = new ArrayList<>();
        keyed.forEach(one -> sorted.add(one.element()));
        return sorted;
    }
}
