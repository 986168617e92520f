package dev.troupe.cli;

import dev.troupe.chaos.StreamWatch;
import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.Installation;
import dev.troupe.node.LocalCluster;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import dev.troupe.node.NodeProcess;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.pekko.stream.javadsl.Sink;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code troupe demo}: three processes, one model, one story, one of them killed, and the proof that nothing changed. */
@Command(
        name = "demo",
        description = {
            "Starts three nodes on 127.0.0.1, .2 and .3, splits the bundled model into 2 stages x 2 ranks over them, tells a",
            "story and kills one of the nodes in the middle of it. Then tells it again undisturbed and unsplit in one process,",
            "and compares the two: tokens and logits, bit for bit."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe demo",
            "  troupe demo \"Tom had a red ball.\"",
            "  troupe demo --no-kill",
            "  troupe demo --device cuda:0"
        })
final class DemoCommand implements Callable<Integer> {
    private static final List<String> SEEDS = List.of("seed-1.conf", "seed-2.conf", "seed-3.conf");

    /** Tokens before the kill, at most: in the middle of a story of usual length. */
    private static final int KILL_AT = 60;

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

    @Option(names = "--no-kill", description = "leave all three nodes alone")
    private boolean noKill;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            description =
                    "of all processes: auto, cpu, cuda:0 or several, for example cuda:0,cuda:1 (default: auto); the"
                            + " result does not depend on it")
    private @Nullable String device;

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
        StreamWatch split;
        try (LocalCluster cluster = LocalCluster.startSeeds(
                        Installation.clusterConfig(), SEEDS, device == null ? List.of() : List.of("--device", device));
                Troupe troupe = cluster.connect()) {
            Troupe.Description description = cluster.awaitReady(troupe);
            cluster.processes().forEach(process -> out.printf("  %s, process %d%n", process.name(), process.pid()));
            out.printf("%nModel %s, split over them:%n", description.model());
            description.placement().forEach(line -> out.println("  " + line));
            out.println();
            split = tell(troupe, request, cluster.processes().getLast(), out);
        }
        out.printf("%nThe same prompt, undisturbed and unsplit, in one process ...%n");
        out.flush();
        Completion whole;
        Map<String, ?> onDevice = device == null ? Map.of() : Map.of("troupe.device.kind", device);
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of(Installation.BUNDLED_MODEL), 1, 1, onDevice)) {
            whole = troupe.complete(request).toCompletableFuture().get();
        }
        Comparison comparison = Comparison.of(split.completion(), whole);
        out.println(comparison.details());
        out.println(paint("VERDICT: " + comparison.verdict(), comparison.identical() ? "32;1" : "31;1"));
        out.flush();
        return comparison.identical() ? 0 : 1;
    }

    /** @param victim killed in the middle: it computes, but neither the stream nor the scheduler is there */
    private StreamWatch tell(Troupe troupe, TextRequest request, NodeProcess victim, PrintWriter out) throws Exception {
        int at = noKill ? 0 : Math.clamp(maxNewTokens / 2, 1, KILL_AT);
        StreamWatch watch = new StreamWatch(at, () -> kill(victim, at, out));
        out.print(paint(prompt, "2"));
        out.flush();
        long start = System.nanoTime();
        troupe.generate(request)
                .runWith(
                        Sink.foreach(event -> {
                            print(event, out);
                            watch.on(event);
                        }),
                        troupe.system())
                .toCompletableFuture()
                .get();
        double seconds = (System.nanoTime() - start) / 1e9;
        out.printf("%n%n%d tokens in %.1f s.%n", watch.tokens(), seconds);
        if (watch.hasActed()) {
            requireGone(victim);
            out.printf(
                    "%s was killed after token %d; the next tokens came from the other two nodes.%n"
                            + "Longest gap after the kill: %.0f ms (usual time between two tokens: %.1f ms).%n",
                    victim.name(), at, watch.gapMillis(), watch.usualMillis());
        } else if (!noKill) {
            out.printf("The story ended before token %d, where %s would have been killed.%n", at, victim.name());
        }
        return watch;
    }

    private void kill(NodeProcess victim, int at, PrintWriter out) {
        out.printf(
                "%n%n%s%n%n",
                paint("  [after token %d: kill -9 %d, %s]".formatted(at, victim.pid(), victim.name()), "31;1"));
        out.flush();
        victim.kill();
    }

    private static void requireGone(NodeProcess victim) {
        if (victim.isAlive()) {
            throw new CommandFailure("process %d (%s) was killed and is still there: nothing was shown"
                    .formatted(victim.pid(), victim.name()));
        }
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

    private String paint(String text, String code) {
        boolean color = !noColor && Terminal.isInteractive();
        return color ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }
}
