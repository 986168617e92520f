package dev.troupe.text.template.value;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A Python dict: keys keep their order, and {@code 1}, {@code 1.0} and {@code true} are one key. It is filled by whoever
 * makes it and not changed afterwards.
 */
public final class Dict {
    private static final int ITEM_CHARACTERS = 64;

    private final Map<Object, Item> items = new LinkedHashMap<>();

    /** A key as it was written first, and its value. */
    public record Item(Object key, Object value) {}

    /** Two tuples of equal keys are equal keys, and no list is one. */
    private record TupleKey(List<Object> elements) {}

    public void put(Object key, Object value, Budget budget) {
        budget.text(ITEM_CHARACTERS);
        items.compute(keyOf(key, budget), (k, old) -> new Item(old == null ? Markup.plain(key) : old.key(), value));
    }

    public @Nullable Object get(Object key, Budget budget) {
        Item item = items.get(keyOf(key, budget));
        return item == null ? null : item.value();
    }

    public int size() {
        return items.size();
    }

    public Collection<Item> items() {
        return items.values();
    }

    public List<Object> keys(Budget budget) {
        budget.list(size());
        List<Object> keys = new ArrayList<>(size());
        items.values().forEach(item -> keys.add(item.key()));
        return keys;
    }

    public List<Object> values(Budget budget) {
        budget.list(size());
        List<Object> values = new ArrayList<>(size());
        items.values().forEach(item -> values.add(item.value()));
        return values;
    }

    /** Pairs of a key and its value. */
    public List<Object> pairs(Budget budget) {
        budget.list(3L * size());
        List<Object> pairs = new ArrayList<>(size());
        items.values().forEach(item -> pairs.add(Tuple.of(item.key(), item.value())));
        return pairs;
    }

    /** What stands for all keys that are equal in Python. */
    private static Object keyOf(Object key, Budget budget) {
        budget.step();
        return switch (key) {
            case String text -> {
                budget.look(text.length());
                yield text;
            }
            case Markup(String text) -> text;
            case Boolean flag -> flag ? 1L : 0L;
            case Double number -> whole(number);
            case Long number -> number;
            case BigInteger number -> number;
            case Tuple(List<Object> elements) -> {
                budget.list(elements.size());
                List<Object> keys = new ArrayList<>(elements.size());
                budget.enter();
                elements.forEach(element -> keys.add(keyOf(element, budget)));
                budget.leave();
                yield new TupleKey(keys);
            }
            case List<?> list -> throw new TemplateException.Failed("unhashable type: 'list'");
            case Dict dict -> throw new TemplateException.Failed("unhashable type: 'dict'");
            default -> key;
        };
    }

    private static Object whole(double number) {
        return number == Math.rint(number) && Math.abs(number) < 0x1p53 ? (Object) (long) number : (Object) number;
    }
}
