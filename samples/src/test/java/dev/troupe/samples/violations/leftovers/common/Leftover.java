package dev.troupe.samples.violations.leftovers.common;

final class Leftover {
    private Leftover() {}
}
