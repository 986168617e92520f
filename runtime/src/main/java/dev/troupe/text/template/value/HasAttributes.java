package dev.troupe.text.template.value;

import org.jspecify.annotations.Nullable;

/** A value with attributes of its own, like {@code loop}. */
public interface HasAttributes {
    /** Null if it has no such attribute. */
    @Nullable
    Object attribute(String name);
}
