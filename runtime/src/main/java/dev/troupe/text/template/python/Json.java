package dev.troupe.text.template.python;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Values as Python's {@code json.dumps} writes them. */
public final class Json {
    private final StringBuilder out = new StringBuilder();
    private final Layout layout;
    private final Budget budget;
    private int level;

    /**
     * How it looks.
     *
     * @param ascii whether all other characters are escaped
     * @param indent what a level is indented by, or null to keep all on one line
     * @param sortKeys whether keys are sorted, else they keep their order
     */
    public record Layout(
            boolean ascii, @Nullable String indent, String elementSeparator, String keySeparator, boolean sortKeys) {}

    private Json(Layout layout, Budget budget) {
        this.layout = layout;
        this.budget = budget;
    }

    /** @throws TemplateException.Failed if JSON has no such value */
    public static String write(Object value, Layout layout, Budget budget) {
        Json json = new Json(layout, budget);
        json.add(value);
        return json.out.toString();
    }

    private void add(Object value) {
        budget.enter();
        switch (value) {
            case None none -> append("null");
            case Boolean flag -> append(flag.toString());
            case Double number -> append(number(number));
            case Number number -> append(number.toString());
            case String text -> quote(text);
            case Markup(String text) -> quote(text);
            case Tuple(List<Object> elements) -> addElements(elements);
            case Dict dict -> addItems(dict);
            default -> {
                if (!Sequences.isList(value)) {
                    throw new TemplateException.Failed(
                            "a value of type %s cannot be written as JSON".formatted(TypeName.of(value)));
                }
                addElements((List<?>) value);
            }
        }
        budget.leave();
    }

    private static String number(double number) {
        return Double.isNaN(number)
                ? "NaN"
                : Double.isInfinite(number) ? (number < 0 ? "-Infinity" : "Infinity") : Numbers.text(number);
    }

    private void addElements(List<?> elements) {
        append("[");
        level++;
        String between = "";
        for (Object element : elements) {
            append(between);
            line();
            add(element);
            between = layout.elementSeparator();
        }
        level--;
        if (!elements.isEmpty()) {
            line();
        }
        append("]");
    }

    private void addItems(Dict dict) {
        append("{");
        level++;
        String between = "";
        for (Dict.Item item : sorted(dict)) {
            append(between);
            line();
            quote(key(item.key()));
            append(layout.keySeparator());
            add(item.value());
            between = layout.elementSeparator();
        }
        level--;
        if (dict.size() > 0) {
            line();
        }
        append("}");
    }

    private List<Dict.Item> sorted(Dict dict) {
        List<Dict.Item> items = new ArrayList<>(dict.items());
        if (layout.sortKeys()) {
            items.sort((a, b) -> Comparison.order(a.key(), b.key(), budget));
        }
        return items;
    }

    private static String key(Object key) {
        return switch (key) {
            case String text -> text;
            case None none -> "null";
            case Boolean flag -> flag.toString();
            case Double number -> number(number);
            case Number number -> number.toString();
            default ->
                throw new TemplateException.Failed(
                        "a key of type %s cannot be written as JSON".formatted(TypeName.of(key)));
        };
    }

    private void line() {
        String indent = layout.indent();
        if (indent != null) {
            append("\n");
            append(Sequences.repeated(indent, level, budget));
        }
    }

    private void append(String text) {
        budget.text(text.length());
        out.append(text);
    }

    private void quote(String text) {
        budget.text(text.length());
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < ' ' || (layout.ascii() && c > '~')) {
                        append("\\u%04x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
