package dev.troupe.samples.violations.leftovers.helper;

final class Leftover {
    private Leftover() {}
}
