package dev.troupe.text.template.render;

import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Comparison;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.HasAttributes;
import dev.troupe.text.template.value.Tuple;
import dev.troupe.text.template.value.Undefined;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The variable {@code loop}: where a loop is. The condition of an element is asked as late as can be, since the body may
 * change what it depends on.
 */
final class Loop implements HasAttributes, Callable {
    private final Predicate<Object> condition;
    private final @Nullable Callable again;
    private final int depth;
    private final Budget budget;
    private Iterator<Object> left;
    private @Nullable Object before;
    private @Nullable Object current;
    private @Nullable Object after;
    private @Nullable Object seen;
    private int index = -1;
    /** Whether all that are left are known to be visited. */
    private boolean settled;

    /** @param again renders the body for other elements, one level deeper; null if the loop is not recursive */
    Loop(List<Object> elements, Predicate<Object> condition, @Nullable Callable again, int depth, Budget budget) {
        this.left = elements.iterator();
        this.condition = condition;
        this.again = again;
        this.depth = depth;
        this.budget = budget;
    }

    /** The next element, or null behind the last. */
    @Nullable
    Object next() {
        before = current;
        current = peek();
        after = null;
        index++;
        return current;
    }

    private @Nullable Object peek() {
        while (after == null && left.hasNext()) {
            budget.step();
            Object element = left.next();
            after = settled || condition.test(element) ? element : null;
        }
        return after;
    }

    private int length() {
        List<Object> rest = new ArrayList<>();
        for (Object element = peek(); element != null; element = peek()) {
            budget.list(1);
            rest.add(element);
            after = null;
        }
        after = rest.isEmpty() ? null : rest.getFirst();
        left = rest.subList(Math.min(1, rest.size()), rest.size()).iterator();
        settled = true;
        return index + 1 + rest.size();
    }

    @Override
    public @Nullable Object attribute(String name) {
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) length() - index;
            case "revindex0" -> length() - index - 1L;
            case "first" -> index == 0;
            case "last" -> peek() == null;
            case "length" -> (long) length();
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> before == null ? new Undefined("there is no previous item") : before;
            case "nextitem" -> {
                Object next = peek();
                yield next == null ? new Undefined("there is no next item") : next;
            }
            case "cycle" -> (Callable) this::cycle;
            case "changed" -> (Callable) this::changed;
            default -> null;
        };
    }

    @Override
    public Object call(Arguments arguments) {
        if (again == null) {
            throw new TemplateException.Failed("the loop is not marked 'recursive', so it cannot be called");
        }
        return again.call(arguments);
    }

    private Object cycle(Arguments arguments) {
        List<Object> values = arguments.positional();
        if (values.isEmpty()) {
            throw new TemplateException.Failed("loop.cycle needs a value at least");
        }
        return values.get(index % values.size());
    }

    private Object changed(Arguments arguments) {
        Tuple values = new Tuple(arguments.positional());
        boolean same = seen != null && Comparison.equal(seen, values, budget);
        seen = values;
        return !same;
    }
}
