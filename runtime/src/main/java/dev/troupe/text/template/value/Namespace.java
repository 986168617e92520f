package dev.troupe.text.template.value;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The only value of a template that can change: attributes that {@code set} writes from any block. */
public final class Namespace implements HasAttributes {
    private final Map<String, Object> attributes = new LinkedHashMap<>();

    @Override
    public @Nullable Object attribute(String name) {
        return attributes.get(name);
    }

    public void set(String name, Object value) {
        attributes.put(name, value);
    }
}
