package dev.troupe.cli;

import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.Installation;
import dev.troupe.node.LocalCluster;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.pekko.stream.javadsl.Sink;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code troupe demo}: three processes, one model, one story, and the proof that the split changed nothing. */
@Command(
        name = "demo",
        description = {
            "Starts three nodes on 127.0.0.1, .2 and .3, splits the bundled model into 2 stages x 2 ranks over them, tells a",
            "story, tells it again unsplit in one process, and compares the two: tokens and logits, bit for bit."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {"  troupe demo", "  troupe demo \"Tom had a red ball.\""})
final class DemoCommand implements Callable<Integer> {
    private static final List<String> SEEDS = List.of("seed-1.conf", "seed-2.conf", "seed-3.conf");

    @Parameters(
            arity = "0..1",
            paramLabel = "PROMPT",
            defaultValue = "Once upon a time, there was a little girl named Lily.",
            description = "how the story begins")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String prompt;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            defaultValue = "160",
            description = "tokens to generate at most (default: 160)")
    private int maxNewTokens;

    @Option(names = "--no-color", description = "plain text only")
    private boolean noColor;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        TextRequest request = TextRequest.greedy(prompt, maxNewTokens).withLogits(true);
        out.println("Starting three node processes ...");
        out.flush();
        Completion split;
        try (LocalCluster cluster = LocalCluster.startSeeds(Installation.clusterConfig(), SEEDS);
                Troupe troupe = cluster.connect()) {
            Troupe.Description description = cluster.awaitReady(troupe);
            cluster.processes().forEach(process -> out.printf("  %s, process %d%n", process.name(), process.pid()));
            out.printf("%nModel %s, split over them:%n", description.model());
            description.placement().forEach(line -> out.println("  " + line));
            out.println();
            split = tell(troupe, request, out);
        }
        out.printf("%nThe same prompt, unsplit, in one process ...%n");
        out.flush();
        Completion whole;
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of(Installation.BUNDLED_MODEL), 1, 1)) {
            whole = troupe.complete(request).toCompletableFuture().get();
        }
        Comparison comparison = Comparison.of(split, whole);
        out.println(comparison.details());
        out.println(paint("VERDICT: " + comparison.verdict(), comparison.identical() ? "32;1" : "31;1"));
        out.flush();
        return comparison.identical() ? 0 : 1;
    }

    private Completion tell(Troupe troupe, TextRequest request, PrintWriter out) throws Exception {
        List<TextEvent> events = new ArrayList<>();
        out.print(paint(prompt, "2"));
        out.flush();
        long start = System.nanoTime();
        troupe.generate(request)
                .runWith(
                        Sink.foreach(event -> {
                            events.add(event);
                            switch (event) {
                                case TextEvent.Token token -> out.print(token.text());
                                case TextEvent.Ended ended -> out.print(ended.text());
                                case TextEvent.Started started -> {}
                                case TextEvent.Logits logits -> {}
                            }
                            out.flush();
                        }),
                        troupe.system())
                .toCompletableFuture()
                .get();
        Completion completion = Completion.of(events);
        double seconds = (System.nanoTime() - start) / 1e9;
        int tokens = completion.choices().getFirst().tokens().size();
        out.printf("%n%n%d tokens in %.1f s.%n", tokens, seconds);
        return completion;
    }

    private String paint(String text, String code) {
        boolean color = !noColor && Terminal.isInteractive();
        return color ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }
}
