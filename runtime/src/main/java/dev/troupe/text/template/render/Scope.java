package dev.troupe.text.template.render;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Variables of a block; those of the blocks around it can be read, not written. */
final class Scope {
    private final @Nullable Scope outer;
    private final Map<String, Object> variables;

    Scope(@Nullable Scope outer) {
        this(outer, new LinkedHashMap<>());
    }

    Scope(@Nullable Scope outer, Map<String, Object> variables) {
        this.outer = outer;
        this.variables = variables;
    }

    @Nullable
    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.get(name);
            if (value != null) {
                return value;
            }
        }
        return null;
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }
}
