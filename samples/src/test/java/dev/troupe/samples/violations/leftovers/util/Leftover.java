package dev.troupe.samples.violations.leftovers.util;

final class Leftover {
    private Leftover() {}
}
