package dev.troupe.samples.violations.unmarked.marked;

final class Marked {
    private Marked() {}
}
