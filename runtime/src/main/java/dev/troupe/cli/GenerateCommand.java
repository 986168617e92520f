package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.pekko.stream.javadsl.Sink;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe generate}: one completion, streamed to the terminal. */
@Command(
        name = "generate",
        description = "Continues a text.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe generate --model tales --prompt \"Once upon a time\" --max-new-tokens 100",
            "  troupe generate --model tales --prompt \"Lily\" --pipeline-parallel 2 --tensor-parallel 2 --nodes 3",
            "  troupe generate --model tales --prompt \"Tom\" --temperature 0.8 --top-p 0.95 --seed 7",
            "  troupe generate --model tales --prompt \"Tom\" --connect 127.0.0.1:25520"
        })
final class GenerateCommand implements Callable<Integer> {
    @Mixin
    private final ModelChoice model = new ModelChoice();

    @Option(names = "--prompt", required = true, paramLabel = "TEXT", description = "the text to continue")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String prompt;

    @Option(
            names = {"--max-new-tokens", "--max-tokens"},
            paramLabel = "N",
            defaultValue = "128",
            description = "tokens to generate at most (default: 128)")
    private int maxNewTokens;

    @Option(names = "--stop", paramLabel = "TEXT", description = "end where this text would come; may be repeated")
    private List<String> stop = List.of();

    @Option(names = "--ignore-eos", description = "do not end at the model's end-of-text token")
    private boolean ignoreEos;

    @Mixin
    private final SamplingChoice sampling = new SamplingChoice();

    @Mixin
    private final SplitChoice split = new SplitChoice();

    @Mixin
    private final EngineChoice engine = new EngineChoice();

    @Option(names = "--json", description = "print one JSON object at the end instead of the text as it comes")
    private boolean json;

    @Option(
            names = "--verify",
            paramLabel = "HASH",
            description =
                    "fail unless the run has this hash, which --json and --show-hash print: the same tokens from the same"
                            + " logits, however the model was split and whatever was lost on the way")
    private @Nullable String verify;

    @Option(names = "--show-hash", description = "print the run's hash after the text")
    private boolean showHash;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        TextRequest request = TextRequest.greedy(prompt, maxNewTokens)
                .withSampling(sampling.parameters())
                .withStop(stop)
                .withIgnoreEos(ignoreEos);
        PrintWriter out = spec.commandLine().getOut();
        Completion completion;
        try (Troupe troupe = Engines.open(model.location(), split, engine)) {
            if (!json) {
                out.print(prompt);
                out.flush();
            }
            completion = Completion.of(troupe.generate(request)
                    .map(event -> {
                        if (!json) {
                            print(event, out);
                        }
                        return event;
                    })
                    .runWith(Sink.seq(), troupe.system())
                    .toCompletableFuture()
                    .get());
        }
        if (json) {
            out.println(toJson(completion));
        } else {
            out.println();
        }
        if (showHash && !json) {
            out.println("hash " + completion.hash());
        }
        out.flush();
        if (verify != null && !verify.equals(completion.hash())) {
            throw new CommandFailure("the run's hash is %s, expected %s: other tokens, or the same from other logits"
                    .formatted(completion.hash(), verify));
        }
        return 0;
    }

    private static void print(TextEvent event, PrintWriter out) {
        switch (event) {
            case TextEvent.Token token -> out.print(token.text());
            case TextEvent.Ended ended -> out.print(ended.text());
            case TextEvent.Started started -> {}
            case TextEvent.PromptToken _, TextEvent.Logits _, TextEvent.Hidden _ -> {}
            case TextEvent.Usage usage -> {}
        }
        out.flush();
    }

    private static String toJson(Completion completion) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        root.put("id", completion.id());
        root.set("prompt_ids", mapper.valueToTree(completion.prompt().toArray()));
        Completion.Choice choice = completion.choices().getFirst();
        root.set("ids", mapper.valueToTree(choice.tokens().toArray()));
        root.put("text", choice.text());
        root.put("hash", completion.hash());
        root.put("cached_tokens", completion.usage().cachedTokens());
        root.put("finish_reason", choice.reason().name().toLowerCase(java.util.Locale.ROOT));
        return mapper.writeValueAsString(root);
    }
}
