package dev.troupe.cli;

import dev.troupe.openai.ApiException;
import dev.troupe.openai.Conversation;
import dev.troupe.openai.Turn;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jline.reader.EOFError;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.ParsedLine;
import org.jline.reader.UserInterruptException;
import org.jline.reader.impl.DefaultParser;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.Terminal.SignalHandler;
import org.jline.terminal.TerminalBuilder;

/** A person who types, with a history in the home directory, and may stop an answer. */
final class ChatTerminal implements ChatInput, AutoCloseable {
    private static final String HISTORY = ".troupe_chat_history";

    private final org.jline.terminal.Terminal terminal;
    private final LineReader reader;

    ChatTerminal() throws IOException {
        terminal = TerminalBuilder.builder().system(true).build();
        reader = LineReaderBuilder.builder()
                .terminal(terminal)
                .appName("troupe chat")
                .parser(new Lines())
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .variable(LineReader.SECONDARY_PROMPT_PATTERN, "  ")
                .variable(LineReader.HISTORY_FILE, history())
                .build();
    }

    /** Only its owner may read it. */
    private static Path history() {
        Path file = Path.of(System.getProperty("user.home"), HISTORY);
        try {
            Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        } catch (FileAlreadyExistsException | UnsupportedOperationException e) {
            // it is there, or this system has rights of another kind
        } catch (IOException e) {
            // the reader goes without a history
        }
        return file;
    }

    /** Whole messages: what ends with a backslash is not done. */
    private static final class Lines extends DefaultParser {
        Lines() {
            setQuoteChars(new char[0]);
            setEscapeChars(new char[0]);
        }

        @Override
        public ParsedLine parse(String line, int cursor, ParseContext context) {
            if (context == ParseContext.ACCEPT_LINE && line.endsWith(MORE)) {
                throw new EOFError(-1, -1, "the next line belongs to it");
            }
            return super.parse(line, cursor, context);
        }
    }

    PrintWriter out() {
        return terminal.writer();
    }

    @Override
    public Optional<String> next() {
        try {
            return Optional.of(reader.readLine("> ").replace(MORE + "\n", "\n"));
        } catch (UserInterruptException e) {
            return Optional.of(""); // Ctrl-C drops what was typed
        } catch (EndOfFileException e) {
            return Optional.empty();
        }
    }

    /** Says something and prints the answer as it comes; Ctrl-C stops it. */
    Turn say(Conversation conversation, String text) throws ApiException {
        CompletableFuture<Turn> turn = new CompletableFuture<>();
        Thread asking = Thread.ofVirtual().unstarted(() -> {
            try {
                turn.complete(conversation.say(text, this::print));
            } catch (ApiException | RuntimeException e) {
                turn.completeExceptionally(e);
            }
        });
        SignalHandler before = terminal.handle(Signal.INT, _ -> asking.interrupt());
        try {
            asking.start();
            return turn.get();
        } catch (InterruptedException e) {
            asking.interrupt();
            throw new CommandFailure("interrupted");
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case ApiException failure -> throw failure;
                case RuntimeException failure -> throw failure;
                case null, default -> throw new IllegalStateException(e);
            }
        } finally {
            terminal.handle(Signal.INT, before);
        }
    }

    /** A model must not steer the terminal. */
    private void print(String piece) {
        terminal.writer().print(piece.replaceAll("[\\p{Cc}&&[^\n\t]]", ""));
        terminal.flush();
    }

    @Override
    public void close() throws IOException {
        terminal.close();
    }
}
