package dev.troupe.samples.violations.leftovers.impl;

final class Leftover {
    private Leftover() {}
}
