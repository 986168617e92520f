package dev.troupe.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.openai.ApiClient;
import dev.troupe.openai.ApiException;
import dev.troupe.openai.Conversation;
import dev.troupe.openai.Turn;
import dev.troupe.openai.Usage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe chat}: a conversation with a model on a server. */
@Command(
        name = "chat",
        description = {
            "Talks with a model on a server that speaks the OpenAI API. Ctrl-C stops an answer, Ctrl-D ends; /help lists"
                    + " commands. A line that ends with \\ goes on in the next.",
            "Where standard input is no terminal, each of its lines is a message."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe chat",
            "  troupe chat --url http://10.0.0.1:8000 --system \"Answer in one sentence.\" --temperature 0.7",
            "  troupe chat --once \"Why is the sky blue?\" --json"
        })
final class ChatCommand implements Callable<Integer> {
    @Mixin
    private final ServerChoice server = new ServerChoice();

    @Option(names = "--system", paramLabel = "TEXT", defaultValue = "", description = "how the model ought to behave")
    private String system = "";

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "0 takes the most probable token always (default: the server's)")
    private @Nullable Double temperature;

    @Option(
            names = {"--max-tokens", "--max-new-tokens"},
            paramLabel = "N",
            description = "tokens of an answer at most (default: the server's)")
    private @Nullable Integer maxTokens;

    @Option(names = "--once", paramLabel = "TEXT", description = "say this, print the answer, and end")
    private @Nullable String once;

    @Option(names = "--json", description = "with --once: print one JSON object instead of the text as it comes")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        if (json && once == null) {
            throw new CommandFailure("--json goes with --once TEXT");
        }
        try (ApiClient client = server.client()) {
            Conversation conversation = conversation(client);
            if (once != null) {
                sayOnce(client, conversation, once);
            } else if (Terminal.isInteractive()) {
                talk(client, conversation);
            } else {
                PrintWriter out = spec.commandLine().getOut();
                BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
                new ChatLoop(conversation, out, text -> say(conversation, text, out), explain(client), false)
                        .run(ChatInput.of(lines));
            }
        }
        return 0;
    }

    private Conversation conversation(ApiClient client) throws InterruptedException {
        String key = server.key();
        Conversation conversation = new Conversation(client, key, server.model(client, key), System::nanoTime);
        conversation.setSystem(system);
        if (temperature != null) {
            conversation.setTemperature(temperature);
        }
        if (maxTokens != null) {
            conversation.setMaxTokens(maxTokens);
        }
        return conversation;
    }

    private static Function<ApiException, CommandFailure> explain(ApiClient client) {
        return failure -> ServerChoice.failure(client, failure);
    }

    private static void talk(ApiClient client, Conversation conversation) throws IOException {
        try (ChatTerminal terminal = new ChatTerminal()) {
            PrintWriter out = terminal.out();
            out.printf(
                    "%s at %s; /help lists commands, Ctrl-C stops an answer, Ctrl-D ends%n",
                    conversation.model(), client.url());
            out.flush();
            new ChatLoop(conversation, out, text -> terminal.say(conversation, text), explain(client), true)
                    .run(terminal);
        }
    }

    private static Turn say(Conversation conversation, String text, PrintWriter out) throws ApiException {
        return conversation.say(text, piece -> {
            out.print(piece);
            out.flush();
        });
    }

    private void sayOnce(ApiClient client, Conversation conversation, String text) {
        PrintWriter out = spec.commandLine().getOut();
        try {
            if (json) {
                out.println(toJson(conversation.model(), conversation.say(text, _ -> {})));
            } else {
                say(conversation, text, out);
                out.println();
            }
        } catch (ApiException e) {
            throw ServerChoice.failure(client, e);
        } finally {
            out.flush();
        }
    }

    private static ObjectNode toJson(String model, Turn turn) {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("model", model);
        root.put("text", turn.answer().text());
        root.put("finish_reason", turn.answer().finishReason());
        root.put("prompt_tokens", known(turn.promptTokens()));
        root.put("cached_tokens", known(turn.cachedTokens()));
        root.put("completion_tokens", turn.tokens());
        root.put("first_token_seconds", turn.firstTokenSeconds());
        root.put("tokens_per_second", turn.tokensPerSecond());
        return root;
    }

    private static @Nullable Long known(long tokens) {
        return tokens == Usage.UNKNOWN ? null : (Long) tokens;
    }
}
