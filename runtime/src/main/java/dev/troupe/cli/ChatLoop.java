package dev.troupe.cli;

import dev.troupe.openai.ApiException;
import dev.troupe.openai.Conversation;
import dev.troupe.openai.Turn;
import dev.troupe.openai.Usage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Takes messages and commands one after the other until there are no more. */
final class ChatLoop {
    private static final String HELP = """
            /system TEXT     how the model ought to behave; without TEXT: as it is
            /temperature X   0 takes the most probable token always, up to 2
            /clear           forget what was said
            /stats           tokens and times of the last answer
            /save FILE       write what was said into a new file: .json, or else Markdown
            /quit            end, as Ctrl-D does
            A line that ends with \\ goes on in the next. // at the start says / to the model. Ctrl-C stops an answer.""";

    private final Conversation conversation;
    private final PrintWriter out;
    private final Speaker speaker;
    private final Function<ApiException, CommandFailure> explain;
    private final boolean goesOn;
    private @Nullable Turn last;

    /** Says something and prints the answer. */
    @FunctionalInterface
    interface Speaker {
        Turn say(String text) throws ApiException;
    }

    /** @param goesOn whether a failure is only told, for a person will try something else */
    ChatLoop(
            Conversation conversation,
            PrintWriter out,
            Speaker speaker,
            Function<ApiException, CommandFailure> explain,
            boolean goesOn) {
        this.conversation = conversation;
        this.out = out;
        this.speaker = speaker;
        this.explain = explain;
        this.goesOn = goesOn;
    }

    void run(ChatInput input) throws IOException {
        for (Optional<String> next = input.next(); next.isPresent(); next = input.next()) {
            String message = next.get();
            try {
                if (message.startsWith("//")) {
                    say(message.substring(1));
                } else if (message.startsWith("/")) {
                    if (!command(message.strip())) {
                        return;
                    }
                } else if (!message.isBlank()) {
                    say(message);
                }
            } catch (CommandFailure e) {
                if (!goesOn) {
                    throw e;
                }
                out.println(e.getMessage());
            }
            out.flush();
        }
    }

    private void say(String message) {
        try {
            Turn turn = speaker.say(message);
            last = turn;
            out.println(turn.isStopped() ? " [stopped]" : "");
        } catch (ApiException e) {
            throw explain.apply(e);
        }
    }

    /** Whether to go on. */
    private boolean command(String line) {
        int blank = line.indexOf(' ');
        String name = blank < 0 ? line : line.substring(0, blank);
        String rest = blank < 0 ? "" : line.substring(blank).strip();
        switch (name) {
            case "/help" -> out.println(HELP);
            case "/system" -> conversation.setSystem(rest);
            case "/temperature" -> temperature(rest);
            case "/clear" -> conversation.clear();
            case "/stats" -> out.println(last == null ? "there is no answer yet" : stats(last));
            case "/save" -> save(rest);
            case "/quit", "/exit" -> {
                return false;
            }
            default -> throw new CommandFailure("%s is no command; /help lists them".formatted(name));
        }
        return true;
    }

    private void temperature(String text) {
        try {
            conversation.setTemperature(Double.parseDouble(text));
        } catch (IllegalArgumentException e) {
            throw new CommandFailure("/temperature %s, expected a number from 0 to 2".formatted(text));
        }
    }

    private void save(String file) {
        if (file.isEmpty()) {
            throw new CommandFailure("/save, expected the name of a file");
        }
        try {
            conversation.save(Path.of(file));
            out.printf("%d messages are in %s%n", conversation.messages().size(), file);
        } catch (FileAlreadyExistsException e) {
            throw new CommandFailure("%s is there already; name another file".formatted(file));
        } catch (IOException | InvalidPathException e) {
            throw new CommandFailure("%s cannot be written: %s".formatted(file, e.getMessage()));
        }
    }

    /** An answer's numbers in one line. */
    static String stats(Turn turn) {
        String prompt = turn.promptTokens() == Usage.UNKNOWN ? "" : turn.promptTokens() + " prompt tokens, ";
        String cached = turn.cachedTokens() == Usage.UNKNOWN ? "" : turn.cachedTokens() + " of them cached, ";
        return String.format(
                Locale.ROOT,
                "%s%s%d tokens, first after %.3f s, then %.1f tokens/s",
                prompt,
                cached,
                turn.tokens(),
                turn.firstTokenSeconds(),
                turn.tokensPerSecond());
    }
}
