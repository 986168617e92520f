package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Comparison;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Generator;
import dev.troupe.text.template.value.None;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** Filters that choose elements by a test, or put each through a filter. */
final class ChoiceFilters {
    private ChoiceFilters() {}

    static void addTo(Map<String, Filter> filters) {
        filters.put("select", (value, arguments, run) -> choose(value, arguments, false, true, run));
        filters.put("reject", (value, arguments, run) -> choose(value, arguments, false, false, run));
        filters.put("selectattr", (value, arguments, run) -> choose(value, arguments, true, true, run));
        filters.put("rejectattr", (value, arguments, run) -> choose(value, arguments, true, false, run));
        filters.put("map", ChoiceFilters::map);
    }

    private static Object choose(Object value, Arguments arguments, boolean byPart, boolean wanted, Run run) {
        UnaryOperator<Object> part = element -> element;
        Arguments rest = arguments;
        if (byPart) {
            part = Lists.part(first(arguments, "the name of an attribute"), None.NONE, run);
            rest = arguments.without(1);
        }
        Predicate<Object> test = test(rest, run);
        List<Object> chosen = new ArrayList<>();
        for (Object element : elements(value, run)) {
            if (test.test(part.apply(element)) == wanted) {
                run.budget().list(1);
                chosen.add(element);
            }
        }
        return new Generator(chosen);
    }

    /** As in Jinja none, like all that is false, is taken for no elements. */
    private static List<Object> elements(Object value, Run run) {
        return Comparison.truth(value) ? ListFilters.elements(value, run) : List.of();
    }

    private static Predicate<Object> test(Arguments arguments, Run run) {
        if (arguments.positional().isEmpty()) {
            return Comparison::truth;
        }
        String name = Text.str(arguments.positional().getFirst(), run.budget());
        Arguments others = arguments.without(1);
        return value -> Tests.apply(name, value, others, run);
    }

    private static Object map(Object value, Arguments arguments, Run run) {
        UnaryOperator<Object> change;
        if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
            var bound = arguments.bind("map", "attribute", "default");
            change = Lists.part(bound.required("attribute"), bound.get("default", None.NONE), run);
        } else {
            String name = Text.str(first(arguments, "the name of a filter"), run.budget());
            Arguments others = arguments.without(1);
            change = element -> Filters.apply(name, element, others, run);
        }
        List<Object> elements = elements(value, run);
        run.budget().list(elements.size());
        List<Object> changed = new ArrayList<>(elements.size());
        elements.forEach(element -> changed.add(change.apply(element)));
        return new Generator(changed);
    }

    private static Object first(Arguments arguments, String what) {
        if (arguments.positional().isEmpty()) {
            throw new TemplateException.Failed("a filter over elements needs %s".formatted(what));
        }
        return arguments.positional().getFirst();
    }
}
