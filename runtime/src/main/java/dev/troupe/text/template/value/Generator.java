package dev.troupe.text.template.value;

import java.util.List;

/** What filters like {@code map} give in Python: elements that can be taken once. It is true even if there are none. */
public final class Generator {
    private List<Object> left;

    public Generator(List<Object> elements) {
        this.left = elements;
    }

    /** All that are left. */
    public List<Object> take() {
        List<Object> taken = left;
        left = List.of();
        return taken;
    }

    /** The next one, or {@code otherwise} if none is left. */
    public Object next(Object otherwise) {
        if (left.isEmpty()) {
            return otherwise;
        }
        Object first = left.getFirst();
        left = left.subList(1, left.size());
        return first;
    }
}
