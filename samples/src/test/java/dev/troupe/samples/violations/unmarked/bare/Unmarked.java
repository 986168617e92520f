package dev.troupe.samples.violations.unmarked.bare;

final class Unmarked {
    private Unmarked() {}
}
