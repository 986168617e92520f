package dev.troupe.text.template.value;

/** What can be called: a macro, a method of a value, a function. */
@FunctionalInterface
public interface Callable {
    Object call(Arguments arguments);
}
