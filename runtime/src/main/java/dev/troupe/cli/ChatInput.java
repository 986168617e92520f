package dev.troupe.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.Optional;

/** Where the messages of a chat come from. */
@FunctionalInterface
interface ChatInput {
    /** The end of a line that goes on in the next. */
    String MORE = "\\";

    /** The next message, which may have several lines; empty at the end. */
    Optional<String> next() throws IOException;

    /** Messages that nobody types. */
    static ChatInput of(BufferedReader lines) {
        return () -> {
            StringBuilder message = new StringBuilder();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (!line.endsWith(MORE)) {
                    return Optional.of(message.append(line).toString());
                }
                message.append(line, 0, line.length() - MORE.length()).append('\n');
            }
            return message.isEmpty() ? Optional.empty() : Optional.of(message.toString());
        };
    }
}
