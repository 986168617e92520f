package dev.troupe.text.template.value;

import java.util.List;

/** A Python tuple: like a list, but equal to no list, and good as a key if its elements are. */
public record Tuple(List<Object> elements) {
    public static Tuple of(Object... elements) {
        return new Tuple(List.of(elements));
    }
}
