package dev.troupe.cli;

import java.io.Console;

/** Whether a person is looking. */
final class Terminal {
    private Terminal() {}

    /** Whether standard input and output are a terminal. */
    @SuppressWarnings("SystemConsoleNull") // null where a user has set jdk.console to a provider that has none
    static boolean isInteractive() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }
}
