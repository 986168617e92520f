package dev.troupe.samples.violations.command.stage;

final class Teller {
    private Teller() {}

    sealed interface Command permits Tell, Stop, Mutable {}

    record Tell(String text) implements Command {}

    enum Stop implements Command {
        INSTANCE
    }

    static final class Mutable implements Command {}
}
