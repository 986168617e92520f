package dev.troupe.text.template.library;

import dev.troupe.text.template.value.Arguments;

/** What {@code value|name(arguments)} calls. */
@FunctionalInterface
interface Filter {
    Object apply(Object value, Arguments arguments, Run run);
}
