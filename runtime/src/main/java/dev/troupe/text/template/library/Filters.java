package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Markup;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The filters by name. */
public final class Filters {
    private static final Map<String, Filter> BY_NAME = byName();

    private static final Set<String> KEEP_MARKUP =
            Set.of("capitalize", "center", "indent", "lower", "string", "trim", "upper");

    private Filters() {}

    private static Map<String, Filter> byName() {
        Map<String, Filter> filters = new TreeMap<>();
        TextFilters.addTo(filters);
        ListFilters.addTo(filters);
        ChoiceFilters.addTo(filters);
        ValueFilters.addTo(filters);
        return filters;
    }

    public static boolean isFilter(String name) {
        return BY_NAME.containsKey(name);
    }

    /** @throws TemplateException.Failed if there is no such filter, or it does not take such a value */
    public static Object apply(String name, Object value, Arguments arguments, Run run) {
        Filter filter = BY_NAME.get(name);
        if (filter == null) {
            throw new TemplateException.Failed(
                    "there is no filter '%s'; these work: %s".formatted(name, BY_NAME.keySet()));
        }
        if (!(value instanceof Markup(String text))) {
            return filter.apply(value, arguments, run);
        }
        if (name.equals("e") || name.equals("escape")) {
            return value;
        }
        Object result = filter.apply(text, arguments, run);
        return KEEP_MARKUP.contains(name) ? Markup.marked(result) : result;
    }
}
