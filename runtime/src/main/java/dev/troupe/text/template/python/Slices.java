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
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Elements by index or key, and parts. */
public final class Slices {
    private Slices() {}

    /** What {@code value[key]} gives, or null if there is no such element. */
    public static @Nullable Object element(Object value, Object key, Budget budget) {
        if (value instanceof Dict dict) {
            return key instanceof List<?> || key instanceof Dict ? null : dict.get(key, budget);
        }
        if (!(key instanceof Long || key instanceof Boolean)) {
            return null;
        }
        long index = Numbers.whole(key).longValue();
        if (value instanceof Markup(String text)) {
            Object part = element(text, key, budget);
            return part == null ? null : Markup.marked(part);
        }
        if (value instanceof String text) {
            budget.look(text.length());
            long at = index < 0 ? index + CodePoints.length(text) : index;
            return at < 0 || at >= CodePoints.length(text) ? null : CodePoints.part(text, (int) at, (int) at + 1);
        }
        List<Object> elements = Sequences.indexed(value);
        if (elements == null) {
            return null;
        }
        long at = index < 0 ? index + elements.size() : index;
        return at < 0 || at >= elements.size() ? null : elements.get((int) at);
    }

    /**
     * What {@code value[start:stop:step]} gives, or null if the value has no parts.
     *
     * @throws TemplateException.Failed if the step is 0 or a bound is no whole number
     */
    public static @Nullable Object slice(Object value, Object start, Object stop, Object step, Budget budget) {
        if (value instanceof Markup(String text)) {
            Object part = slice(text, start, stop, step, budget);
            return part == null ? null : Markup.marked(part);
        }
        if (value instanceof String text) {
            budget.look(text.length());
            int length = CodePoints.length(text);
            Bounds bounds = Bounds.of(start, stop, step, length);
            if (bounds.step == 1) {
                budget.text(bounds.size());
                return CodePoints.part(text, (int) bounds.start, (int) bounds.start + bounds.size());
            }
            StringBuilder part = new StringBuilder();
            bounds.of(Sequences.elements(text, budget), budget).forEach(part::append);
            return part.toString();
        }
        List<Object> elements = Sequences.indexed(value);
        if (elements == null) {
            return null;
        }
        List<Object> part = Bounds.of(start, stop, step, elements.size()).of(elements, budget);
        return value instanceof Tuple ? new Tuple(part) : part;
    }

    /** Bounds within a length: the first index, and the one that is not reached. */
    private record Bounds(long start, long stop, long step) {
        static Bounds of(Object start, Object stop, Object step, int length) {
            long by = step == None.NONE ? 1 : bound(step);
            if (by == 0) {
                throw new TemplateException.Failed("slice step cannot be zero");
            }
            long least = by < 0 ? -1 : 0;
            long most = by < 0 ? length - 1 : length;
            long from = start == None.NONE ? (by < 0 ? most : least) : within(bound(start), length, least, most);
            long to = stop == None.NONE ? (by < 0 ? least : most) : within(bound(stop), length, least, most);
            return new Bounds(from, to, by);
        }

        private static long within(long index, int length, long least, long most) {
            return Math.clamp(index < 0 ? index + length : index, least, most);
        }

        /** Far outside is as good as infinitely far. */
        private static long bound(Object value) {
            if (!Numbers.isWhole(value)) {
                Undefined.refuse(value);
                throw new TemplateException.Failed(
                        "slice indices must be whole numbers or none, not %s".formatted(TypeName.of(value)));
            }
            BigInteger most = BigInteger.valueOf(Integer.MAX_VALUE);
            return Numbers.whole(value).min(most).max(most.negate()).longValue();
        }

        int size() {
            long span = step < 0 ? start - stop : stop - start;
            long by = Math.abs(step);
            return span <= 0 ? 0 : (int) ((span + by - 1) / by);
        }

        List<Object> of(List<Object> elements, Budget budget) {
            int size = size();
            budget.list(size);
            List<Object> part = new ArrayList<>(size);
            for (int i = 0; i < size; i++) {
                part.add(elements.get((int) (start + i * step)));
            }
            return part;
        }
    }
}
