package dev.troupe.samples.violations.naming.stage;

final class CounterActor {
    private CounterActor() {}
}
