package dev.troupe.text.template;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.None;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Data to values of a template: Jackson's nodes, or maps with texts as keys, lists, texts, numbers, booleans and null.
 * Nothing else gets in, so that a template reaches no Java object.
 */
final class PlainValues {
    private PlainValues() {}

    /**
     * @throws IllegalArgumentException if {@code data} is or holds something else
     * @throws TemplateException.LimitReached if it is too deep or too large
     */
    static Object of(@Nullable Object data, Budget budget) {
        budget.step();
        return switch (data) {
            case null -> None.NONE;
            case JsonNode node -> ofNode(node, budget);
            case CharSequence text -> text.toString();
            case Boolean flag -> flag;
            case Number number -> ofNumber(number);
            case Map<?, ?> map -> ofMap(map, budget);
            case List<?> list -> ofElements(list, list.size(), budget);
            default ->
                throw new IllegalArgumentException(
                        "a template cannot be given a %s; these work: JSON, maps, lists, texts, numbers, booleans, null"
                                .formatted(data.getClass().getName()));
        };
    }

    private static Object ofNode(JsonNode node, Budget budget) {
        return switch (node.getNodeType()) {
            case NULL, MISSING -> None.NONE;
            case BOOLEAN -> node.booleanValue();
            case NUMBER -> ofNumber(node.numberValue());
            case ARRAY -> ofElements(node, node.size(), budget);
            case OBJECT -> {
                budget.enter();
                Dict dict = new Dict();
                node.properties().forEach(entry -> dict.put(entry.getKey(), of(entry.getValue(), budget), budget));
                budget.leave();
                yield dict;
            }
            case STRING, BINARY, POJO -> node.asText();
        };
    }

    private static Object ofMap(Map<?, ?> map, Budget budget) {
        budget.enter();
        Dict dict = new Dict();
        map.forEach((key, value) -> {
            if (!(key instanceof String)) {
                throw new IllegalArgumentException(
                        "a map for a template has the key %s, expected texts".formatted(key));
            }
            dict.put(key, of(value, budget), budget);
        });
        budget.leave();
        return dict;
    }

    private static Object ofElements(Iterable<?> elements, int size, Budget budget) {
        budget.enter();
        budget.list(size);
        List<Object> values = new ArrayList<>(size);
        elements.forEach(element -> values.add(of(element, budget)));
        budget.leave();
        return values;
    }

    private static Object ofNumber(Number number) {
        return switch (number) {
            case BigInteger integer -> integer.bitLength() < Long.SIZE ? (Object) integer.longValue() : integer;
            case Double real -> real;
            case Float real -> Double.valueOf(real.toString());
            case BigDecimal real -> real.doubleValue();
            default -> number.longValue();
        };
    }
}
