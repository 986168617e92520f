package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.chaos.ChaosRefusedException;
import dev.troupe.chaos.ChaosRun;
import dev.troupe.chaos.Moment;
import dev.troupe.chaos.StreamWatch;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.ClientSystem;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code troupe chaos}: makes a node fail in the middle of a stream and says whether the stream noticed. */
@Command(
        name = "chaos",
        description = {
            "Streams a completion from a running cluster twice. The second time it makes a node fail at a token, sees that the",
            "fault took effect, waits for the end and compares the two streams: tokens, texts and the bits of their logits.",
            "The nodes must run with troupe.chaos.enabled = on.",
            "",
            "Faults: kill, crash-in-exchange, poison TOKEN, pause DURATION, slow FACTOR DURATION, stuck-kernel DURATION,",
            "reset-connections, cut A B DURATION, cut-one-way A B DURATION; A and B are roles or nodes (HOST:PORT)."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe chaos kill --connect 127.0.0.1:25520 --role stage-1/rank-0 --at token=57",
            "  troupe chaos pause 20s --connect 127.0.0.1:25520 --role scheduler",
            "  troupe chaos cut 127.0.0.2:25520 127.0.0.3:25520 5s --connect 127.0.0.1:25520",
            "  troupe chaos crash-in-exchange --connect 127.0.0.1:25520 --role random --seed 7 --json",
            "",
            "Exit codes: 0 identical, 1 not identical or failed, 2 wrong usage, 3 the fault did not take effect."
        })
final class ChaosCommand implements Callable<Integer> {
    private static final int NO_EFFECT = 3;
    private static final Duration DESCRIBE_WITHIN = Duration.ofSeconds(10);

    @Parameters(arity = "1..4", paramLabel = "FAULT", description = "what happens, with its arguments")
    private List<String> fault = List.of();

    @Option(names = "--connect", required = true, paramLabel = "HOST:PORT", description = "a node of the cluster")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String connect;

    @Option(
            names = "--role",
            paramLabel = "ROLE",
            defaultValue = "random",
            description = "who fails: stage-S/rank-R, scheduler, coordinator, owner, a node's HOST:PORT, or random,"
                    + " which --seed draws (default: random)")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String role;

    @Option(
            names = "--at",
            paramLabel = "MOMENT",
            defaultValue = "token=40",
            description =
                    "when: token=N, after N completion tokens; prefill=DURATION, so long after the request was sent and"
                            + " before its first token; prefill, half way to it (default: token=40)")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String at;

    @Option(
            names = "--prompt",
            paramLabel = "TEXT",
            defaultValue = "Once upon a time",
            description = "the text to continue (default: Once upon a time)")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String prompt;

    @Option(
            names = {"--max-new-tokens", "--max-tokens"},
            paramLabel = "N",
            defaultValue = "120",
            description = "tokens to generate; the end-of-text token is ignored (default: 120)")
    private int maxNewTokens;

    @Mixin
    private final SamplingChoice sampling = new SamplingChoice();

    @Option(
            names = "--patience",
            paramLabel = "SECONDS",
            defaultValue = "300",
            description = "how long the disturbed stream may take (default: 300)")
    private int patience;

    @Option(names = "--tls-dir", paramLabel = "DIR", description = "where the client's certificate lies")
    private @Nullable Path tlsDirectory;

    @Option(
            names = "--client-host",
            paramLabel = "HOST",
            defaultValue = ClientSystem.HERE,
            description = "where nodes reach this program (default: 127.0.0.1)")
    private String clientHost = ClientSystem.HERE;

    @Option(names = "--json", description = "print JSON")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        FaultChoice choice = new FaultChoice(fault);
        Moment moment = moment(at);
        TextRequest request = TextRequest.greedy(prompt, maxNewTokens)
                .withSampling(sampling.parameters())
                .withIgnoreEos(true);
        try (Troupe troupe = Engines.connect(connect, tlsDirectory, clientHost)) {
            StreamWatch undisturbed = ChaosRun.undisturbed(troupe, request);
            Troupe.Description description =
                    troupe.describe(DESCRIBE_WITHIN).toCompletableFuture().get();
            ChaosRun run =
                    choice.run(role, sampling.parameters().seed(), moment, Duration.ofSeconds(patience), description);
            return report(run, run.run(troupe, request, undisturbed));
        } catch (ChaosRefusedException e) {
            spec.commandLine().getErr().println("troupe: " + e.getMessage());
            return NO_EFFECT;
        }
    }

    static Moment moment(String text) {
        if (text.equals("prefill")) {
            return Moment.prefill();
        }
        if (text.startsWith("prefill=")) {
            return new Moment.Prefill(FaultChoice.duration(text.substring("prefill=".length())));
        }
        if (!text.matches("token=[1-9][0-9]{0,8}")) {
            throw new CommandFailure(
                    "--at %s, expected token=N, prefill or prefill=DURATION, for example token=57".formatted(text));
        }
        return new Moment.AtToken(Integer.parseInt(text.substring("token=".length())));
    }

    private int report(ChaosRun run, ChaosRun.Outcome outcome) throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? toJson(run, outcome) : text(run, outcome));
        out.flush();
        if (!outcome.evidence().tookEffect()) {
            return NO_EFFECT;
        }
        return outcome.isIdentical() ? 0 : 1;
    }

    private static String text(ChaosRun run, ChaosRun.Outcome outcome) {
        return String.format(
                Locale.ROOT,
                "%s at %s, %s on %s: %s%n%d tokens, epochs %s; longest gap after the fault %.0f ms (usual time between two tokens: %.1f ms)%nVERDICT: %s",
                run.fault().label(),
                run.at().label(),
                outcome.role().name(),
                outcome.role().node(),
                outcome.evidence().seen(),
                outcome.tokens(),
                String.join(", ", outcome.epochs()),
                outcome.gapMillis(),
                outcome.usualMillis(),
                verdict(outcome));
    }

    private static String verdict(ChaosRun.Outcome outcome) {
        if (!outcome.evidence().tookEffect()) {
            return "the fault did not take effect";
        }
        return outcome.difference().map(difference -> "different " + difference).orElse("identical");
    }

    private static String toJson(ChaosRun run, ChaosRun.Outcome outcome) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        root.put("fault", run.fault().label());
        root.put("role", outcome.role().name());
        root.put("node", outcome.role().node());
        root.put("seed", run.seed());
        root.put("at", run.at().label());
        root.put("took_effect", outcome.evidence().tookEffect());
        root.put("seen", outcome.evidence().seen());
        root.put("identical", outcome.isIdentical());
        root.put("difference", outcome.difference().orElse(null));
        root.put("tokens", outcome.tokens());
        root.put("gap_ms", outcome.gapMillis());
        root.put("usual_ms", outcome.usualMillis());
        root.set("epochs", mapper.valueToTree(outcome.epochs()));
        return mapper.writeValueAsString(root);
    }
}
