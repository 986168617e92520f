package dev.troupe.cli;

import dev.troupe.load.LatencyChart;
import dev.troupe.load.LoadPlan;
import dev.troupe.load.LoadReport;
import dev.troupe.load.LoadRun;
import dev.troupe.load.Pace;
import dev.troupe.load.Prompts;
import dev.troupe.load.Tenant;
import dev.troupe.openai.ApiClient;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe load}: how a server stands many requests. */
@Command(
        name = "load",
        description = {
            "Sends requests to a server that speaks the OpenAI API and measures how they are answered.",
            "With --rate it is an open loop: requests arrive whether or not earlier ones are done, and their latency counts from"
                    + " when they were due, so that a slow server cannot hide. With --concurrency it is a closed loop:"
                    + " so many are always under way.",
            "A stream that ends without [DONE] has failed. Latencies are those of requests that completed."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe load --concurrency 8 --requests 200",
            "  troupe load --rate 5 --duration 60s --prompt-tokens 256 --shared-prefix 50 --ignore-eos",
            "  troupe load --url http://10.0.0.1:8000 --chat --prompt \"Tell me a story\" --chart latency.svg",
            "  troupe load --concurrency 8 --duration 60s --tenant-keys a=KEY-A:2,b=KEY-B:1 --json",
            "",
            "Exit codes: 0 all requests completed, 1 some failed (unless --allow-failures), 2 wrong usage."
        })
final class LoadCommand implements Callable<Integer> {
    private static final int STANDARD_REQUESTS = 100;
    private static final int STANDARD_PROMPT_TOKENS = 64;

    @Mixin
    private final ServerChoice server = new ServerChoice();

    @ArgGroup(exclusive = true)
    private @Nullable Speed speed;

    /** One of the two, or neither. */
    static final class Speed {
        @Option(
                names = "--rate",
                paramLabel = "R",
                description = "open loop: so many requests a second, at random times")
        private @Nullable Double rate;

        @Option(
                names = "--concurrency",
                paramLabel = "N",
                description = "closed loop: so many requests at the same time (default: 1)")
        private @Nullable Integer concurrency;
    }

    @Option(
            names = "--requests",
            paramLabel = "N",
            description = "requests to send (default: 100, or as many as --duration lets)")
    private @Nullable Long requests;

    @Option(names = "--duration", paramLabel = "TIME", description = "send no more after so long, for example 30s")
    private @Nullable String duration;

    @Option(
            names = "--warm-up",
            paramLabel = "N",
            defaultValue = "0",
            description = "requests before, which are not counted (default: 0)")
    private int warmUp;

    @ArgGroup(exclusive = true)
    private @Nullable Prompt prompt;

    /** One of the two, or neither. */
    static final class Prompt {
        @Option(names = "--prompt", paramLabel = "TEXT", description = "the same text every time")
        private @Nullable String text;

        @Option(
                names = "--prompt-tokens",
                paramLabel = "N",
                description = "so many random token ids; with --chat about so many random words (default: 64)")
        private @Nullable Integer tokens;
    }

    @Option(
            names = "--vocabulary",
            paramLabel = "N",
            defaultValue = "1000",
            description = "random token ids are below it (default: 1000)")
    private int vocabulary;

    @Option(
            names = "--shared-prefix",
            paramLabel = "PERCENT",
            defaultValue = "0",
            description = "the beginning that all random prompts have in common (default: 0)")
    private int sharedPrefix;

    @Option(
            names = {"--max-tokens", "--max-new-tokens"},
            paramLabel = "N",
            defaultValue = "64",
            description = "tokens of an answer at most (default: 64)")
    private int maxTokens;

    @Option(names = "--ignore-eos", description = "let no answer end before it has all of them")
    private boolean ignoreEos;

    @Option(
            names = "--stream",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description =
                    "take tokens as they are made (default); of whole answers only the end-to-end latency is known")
    private boolean stream;

    @Option(names = "--chat", description = "ask by messages of a chat instead of texts to continue")
    private boolean chat;

    @Option(
            names = "--tenant-keys",
            paramLabel = "NAME=KEY:WEIGHT,...",
            description =
                    "send as several tenants, and say how fairly by weight they are served; a file of options can be"
                            + " given as @FILE, which keeps keys out of sight")
    private @Nullable String tenantKeys;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "of arrivals and prompts (default: 0)")
    private long seed;

    @Option(
            names = "--timeout",
            paramLabel = "TIME",
            defaultValue = "10m",
            description = "a request that takes longer has failed (default: 10m)")
    private String timeout = "10m";

    @Option(names = "--allow-failures", description = "exit with 0 although requests failed")
    private boolean allowFailures;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    @Option(names = "--chart", paramLabel = "FILE.svg", description = "draw the latencies by percentile")
    private @Nullable Path chart;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        List<Tenant> tenants = tenantKeys == null ? List.of(new Tenant("", server.key(), 1)) : Tenant.parse(tenantKeys);
        if (!tenants.stream().allMatch(tenant -> ServerChoice.isKey(tenant.key()))) {
            throw new CommandFailure("--tenant-keys has a key with characters that no key has");
        }
        LoadReport report;
        try (ApiClient client = server.client()) {
            plan("", tenants); // what is wrong about the options shows before the server is asked
            LoadPlan plan = plan(server.model(client, tenants.getFirst().key()), tenants);
            try (ProgressLine progress = ProgressLine.onStandardError()) {
                report = new LoadRun(client, plan).run(now -> progress.show(show(now)));
            }
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(report.toJson());
        } else {
            report.lines().forEach(out::println);
        }
        out.flush();
        if (chart != null) {
            Files.writeString(chart, LatencyChart.svg(report));
        }
        return report.failed() == 0 || allowFailures ? 0 : 1;
    }

    private static String show(LoadRun.Progress now) {
        return "%d requests completed, %d failed, %d tokens".formatted(now.completed(), now.failed(), now.tokens());
    }

    private LoadPlan plan(String model, List<Tenant> tenants) {
        Optional<Duration> most = Optional.ofNullable(duration).map(FaultChoice::duration);
        long count = requests != null ? requests : most.isPresent() ? Long.MAX_VALUE : STANDARD_REQUESTS;
        return new LoadPlan(
                model,
                pace(),
                prompts(),
                new LoadPlan.Ask(maxTokens, ignoreEos, stream, chat),
                tenants,
                count,
                most,
                warmUp,
                FaultChoice.duration(timeout),
                seed);
    }

    private Pace pace() {
        if (speed != null && speed.rate != null) {
            return new Pace.Open(speed.rate);
        }
        return new Pace.Closed(speed == null || speed.concurrency == null ? 1 : speed.concurrency);
    }

    private Prompts prompts() {
        if (sharedPrefix < 0 || sharedPrefix > 100) {
            throw new CommandFailure("--shared-prefix %d, expected a percentage of 0 to 100".formatted(sharedPrefix));
        }
        if (prompt != null && prompt.text != null) {
            if (sharedPrefix > 0) {
                throw new CommandFailure(
                        "--shared-prefix goes with --prompt-tokens; by --prompt all prompts are the same");
            }
            return new Prompts.Text(prompt.text);
        }
        int length = prompt == null || prompt.tokens == null ? STANDARD_PROMPT_TOKENS : prompt.tokens;
        return new Prompts.Drawn(length, (int) Math.round(length * (sharedPrefix / 100.0)), vocabulary, chat, seed);
    }
}
