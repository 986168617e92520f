package dev.troupe.samples.violations.leftovers.manager;

final class Leftover {
    private Leftover() {}
}
