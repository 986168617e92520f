package dev.troupe.samples.violations.cycle.second;

import dev.troupe.samples.violations.cycle.first.First;

public final class Second {
    public static final Class<?> USED = First.class;

    private Second() {}
}
