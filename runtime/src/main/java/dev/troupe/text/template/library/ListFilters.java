package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.operation.Operators;
import dev.troupe.text.template.python.Comparison;
import dev.troupe.text.template.python.Operator;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Generator;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters over the elements of a value. */
final class ListFilters {
    private ListFilters() {}

    static void addTo(Map<String, Filter> filters) {
        Filter length = (value, arguments, run) -> Sequences.length(value, run.budget());
        filters.put("length", length);
        filters.put("count", length);
        filters.put("first", (value, arguments, run) -> first(value, run.budget()));
        filters.put("last", (value, arguments, run) -> last(value, run.budget()));
        filters.put("list", (value, arguments, run) -> elements(value, run));
        filters.put("items", (value, arguments, run) -> new Generator(items(value, run)));
        filters.put("reverse", ListFilters::reverse);
        filters.put("join", ListFilters::join);
        filters.put("sum", ListFilters::sum);
        filters.put("sort", ListFilters::sort);
        filters.put("dictsort", ListFilters::dictSort);
        filters.put("unique", ListFilters::unique);
        filters.put("groupby", ListFilters::groupBy);
        filters.put("min", (value, arguments, run) -> extreme("min", value, arguments, run));
        filters.put("max", (value, arguments, run) -> extreme("max", value, arguments, run));
        filters.put("batch", ListFilters::batch);
        filters.put("slice", ListFilters::slice);
    }

    static List<Object> elements(Object value, Run run) {
        List<Object> elements = Sequences.elements(value, run.budget());
        run.budget().steps(elements.size());
        return elements;
    }

    private static Object first(Object value, Budget budget) {
        Undefined nothing = new Undefined("there is no first element");
        if (value instanceof Generator generator) {
            return generator.next(nothing);
        }
        List<Object> elements = Sequences.elements(value, budget);
        return elements.isEmpty() ? nothing : elements.getFirst();
    }

    private static Object last(Object value, Budget budget) {
        List<Object> elements = Sequences.elements(value, budget);
        return elements.isEmpty() ? new Undefined("there is no last element") : elements.getLast();
    }

    private static List<Object> items(Object value, Run run) {
        return switch (value) {
            case Undefined undefined -> List.of();
            case Dict dict -> dict.pairs(run.budget());
            default ->
                throw new TemplateException.Failed("items takes a mapping, not %s".formatted(TypeName.of(value)));
        };
    }

    private static Object reverse(Object value, Arguments arguments, Run run) {
        run.budget().list(Sequences.length(value, run.budget()));
        List<Object> reversed = new ArrayList<>(elements(value, run));
        Collections.reverse(reversed);
        if (value instanceof String) {
            StringBuilder out = new StringBuilder();
            reversed.forEach(out::append);
            return out.toString();
        }
        return new Generator(reversed);
    }

    private static Object join(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("join", "d", "attribute");
        Budget budget = run.budget();
        String separator = Text.str(bound.get("d", ""), budget);
        UnaryOperator<Object> part = Lists.part(bound.get("attribute", None.NONE), None.NONE, run);
        StringBuilder out = new StringBuilder();
        String between = "";
        for (Object element : elements(value, run)) {
            String text = Text.str(part.apply(element), budget);
            budget.text((long) text.length() + between.length());
            out.append(between).append(text);
            between = separator;
        }
        return out.toString();
    }

    private static Object sum(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("sum", "attribute", "start");
        UnaryOperator<Object> part = Lists.part(bound.get("attribute", None.NONE), None.NONE, run);
        Object sum = bound.get("start", 0L);
        for (Object element : elements(value, run)) {
            sum = Operators.apply(Operator.ADD, sum, part.apply(element), run.budget());
        }
        return sum;
    }

    private static Object sort(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("sort", "reverse", "case_sensitive", "attribute");
        boolean caseSensitive = ValueFilters.flag(bound, "case_sensitive");
        List<Object> sorted = elements(value, run);
        boolean reverse = ValueFilters.flag(bound, "reverse");
        Object attribute = bound.get("attribute", None.NONE);
        List<Object> attributes = new ArrayList<>(List.of(attribute));
        if (attribute instanceof String names && names.contains(",")) {
            attributes = new ArrayList<>(List.of((Object[]) names.split(",", -1)));
        }
        for (Object one : attributes.reversed()) {
            UnaryOperator<Object> part = Lists.part(one, None.NONE, run);
            sorted = Lists.sorted(sorted, e -> Lists.folded(part.apply(e), caseSensitive, run), reverse, run);
        }
        return sorted;
    }

    private static Object dictSort(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("dictsort", "case_sensitive", "by", "reverse");
        boolean caseSensitive = ValueFilters.flag(bound, "case_sensitive");
        String by = bound.text("by", "key");
        if (!by.equals("key") && !by.equals("value")) {
            throw new TemplateException.Failed("dictsort: by = '%s', expected key or value".formatted(by));
        }
        if (!(value instanceof Dict dict)) {
            throw new TemplateException.Failed("dictsort takes a mapping, not %s".formatted(TypeName.of(value)));
        }
        int at = by.equals("key") ? 0 : 1;
        return Lists.sorted(
                dict.pairs(run.budget()),
                pair -> Lists.folded(Sequences.elements(pair, run.budget()).get(at), caseSensitive, run),
                ValueFilters.flag(bound, "reverse"),
                run);
    }

    private static Object unique(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("unique", "case_sensitive", "attribute");
        boolean caseSensitive = ValueFilters.flag(bound, "case_sensitive");
        UnaryOperator<Object> part = Lists.part(bound.get("attribute", None.NONE), None.NONE, run);
        Dict seen = new Dict();
        for (Object element : elements(value, run)) {
            Object key = Lists.folded(part.apply(element), caseSensitive, run);
            if (seen.get(key, run.budget()) == null) {
                seen.put(key, element, run.budget());
            }
        }
        return new Generator(seen.values(run.budget()));
    }

    private static Object groupBy(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("groupby", "attribute", "default", "case_sensitive");
        boolean caseSensitive = ValueFilters.flag(bound, "case_sensitive");
        UnaryOperator<Object> part = Lists.part(bound.required("attribute"), bound.get("default", None.NONE), run);
        UnaryOperator<Object> key = element -> Lists.folded(part.apply(element), caseSensitive, run);
        List<Object> groups = new ArrayList<>();
        List<Object> group = new ArrayList<>();
        for (Object element : Lists.sorted(elements(value, run), key, false, run)) {
            boolean another =
                    group.isEmpty() || !Comparison.equal(key.apply(group.getFirst()), key.apply(element), run.budget());
            if (another) {
                run.budget().list(2);
                group = new ArrayList<>();
                groups.add(Tuple.of(part.apply(element), group));
            }
            group.add(element);
        }
        return groups;
    }

    private static Object extreme(String name, Object value, Arguments arguments, Run run) {
        var bound = arguments.bind(name, "case_sensitive", "attribute");
        boolean caseSensitive = ValueFilters.flag(bound, "case_sensitive");
        UnaryOperator<Object> part = Lists.part(bound.get("attribute", None.NONE), None.NONE, run);
        Object best = new Undefined("there is no element for " + name);
        Object bestKey = None.NONE;
        for (Object element : elements(value, run)) {
            Object key = Lists.folded(part.apply(element), caseSensitive, run);
            int order = best instanceof Undefined ? -1 : Comparison.order(key, bestKey, run.budget());
            if (best instanceof Undefined || (name.equals("min") ? order < 0 : order > 0)) {
                best = element;
                bestKey = key;
            }
        }
        return best;
    }

    private static Object batch(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("batch", "linecount", "fill_with");
        int size = positive("batch", bound.integer("linecount", 0));
        Object fill = bound.get("fill_with", None.NONE);
        List<Object> batches = new ArrayList<>();
        List<Object> elements = elements(value, run);
        for (int from = 0; from < elements.size(); from += Math.min(size, elements.size())) {
            int to = from + Math.min(elements.size() - from, size);
            boolean filled = fill != None.NONE;
            run.budget().list(filled ? size : to - from);
            List<Object> batch = new ArrayList<>(elements.subList(from, to));
            while (filled && batch.size() < size) {
                batch.add(fill);
            }
            batches.add(batch);
        }
        return new Generator(batches);
    }

    private static Object slice(Object value, Arguments arguments, Run run) {
        var bound = arguments.bind("slice", "slices", "fill_with");
        int count = positive("slice", bound.integer("slices", 0));
        Object fill = bound.get("fill_with", None.NONE);
        List<Object> elements = elements(value, run);
        run.budget().list(count + (long) elements.size());
        List<Object> slices = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < count; i++) {
            run.budget().list(1);
            boolean longer = i < elements.size() % count;
            int to = from + elements.size() / count + (longer ? 1 : 0);
            List<Object> slice = new ArrayList<>(elements.subList(from, to));
            if (fill != None.NONE && !longer && elements.size() % count != 0) {
                slice.add(fill);
            }
            slices.add(slice);
            from = to;
        }
        return new Generator(slices);
    }

    private static int positive(String filter, int count) {
        if (count < 1) {
            throw new TemplateException.Failed("%s needs a number of at least 1, not %d".formatted(filter, count));
        }
        return count;
    }
}
