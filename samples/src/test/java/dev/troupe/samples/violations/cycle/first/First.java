package dev.troupe.samples.violations.cycle.first;

import dev.troupe.samples.violations.cycle.second.Second;

public final class First {
    public static final Class<?> USED = Second.class;

    private First() {}
}
