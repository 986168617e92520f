package dev.troupe.samples.violations.outside.nowhere;

final class Stray {
    private Stray() {}
}
