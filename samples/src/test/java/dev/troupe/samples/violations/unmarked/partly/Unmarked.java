package dev.troupe.samples.violations.unmarked.partly;

final class Unmarked {
    private Unmarked() {}
}
