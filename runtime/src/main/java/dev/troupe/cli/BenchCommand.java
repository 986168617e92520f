package dev.troupe.cli;

import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.kernel.KernelTimes;
import dev.troupe.load.PipelineUse;
import dev.troupe.node.ModelLocation;
import dev.troupe.tensor.Ints;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.stream.javadsl.Sink;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe bench}: how fast this is here, beside the ceiling of the machine. */
@Command(
        name = "bench",
        description = {
            "Measures prefill and decode, and in the same run the ceilings of the machine: the read bandwidth of the memory"
                    + ", the f32 arithmetic of the cores and, where native kernels run, their eight-bit dot products.",
            "Of one rank in this process it says too which part of decode its kernels took; of several stages which part of the"
                    + " time each had no step while some were in flight (its bubble), beside (S - 1)/(M + S - 1) of S stages"
                    + " and as many micro-batches as were in flight.",
            "Medians over the runs, after at least one run that warms up and does not count."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe bench --model tales",
            "  troupe bench --synthetic llama-1b:q8_0 --threads 2 --prompt 512 --generate 128 --json",
            "  troupe bench --synthetic llama-1b:q4_k_m --sequences 8 --threads 2 --cores 0,1",
            "  troupe bench --synthetic llama-1b:q8_0 --tensor-parallel 2 --nodes 2",
            "  troupe bench --synthetic llama-1b:q8_0 --pipeline-parallel 2 --nodes 2 --sequences 4"
        })
final class BenchCommand implements Callable<Integer> {
    private static final Duration DESCRIBED_WITHIN = Duration.ofSeconds(30);
    private static final Comparator<Arrival> BY_TIME = Comparator.comparingLong(Arrival::nanos);

    @ArgGroup(exclusive = true, multiplicity = "1")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Which which;

    /** One of the two. */
    static final class Which {
        @Option(
                names = "--model",
                paramLabel = "MODEL",
                description = "directory of a checkpoint, GGUF file, or 'tales' for the bundled model")
        private @Nullable String model;

        @Option(
                names = "--synthetic",
                paramLabel = "SHAPE:TYPE",
                description =
                        "random weights in memory: tiny, tiny-256, llama-1b, llama-8b; f32, bf16, f16, q8_0, q4_0, q4_k, ...")
        private @Nullable String synthetic;

        String location() {
            return synthetic != null ? ModelLocation.SYNTHETIC + synthetic : String.valueOf(model);
        }
    }

    @Option(names = "--prompt", paramLabel = "N", defaultValue = "512", description = "prompt tokens (default: 512)")
    private int prompt;

    @Option(
            names = "--generate",
            paramLabel = "N",
            defaultValue = "128",
            description = "tokens to generate (default: 128)")
    private int generate;

    @Option(
            names = "--sequences",
            paramLabel = "N",
            defaultValue = "1",
            description = "requests at the same time (default: 1); decode counts while all of them decode")
    private int sequences;

    @Option(
            names = "--runs",
            paramLabel = "N",
            defaultValue = "3",
            description = "runs that count, at least 3 (default: 3)")
    private int runs;

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            defaultValue = "10",
            description = "run at least so long before (default: 10): the JIT compiles every process of its own")
    private int warmUp;

    @Mixin
    private final SplitChoice split = new SplitChoice();

    @Mixin
    private final EngineChoice engine = new EngineChoice();

    @Option(names = "--json", description = "print JSON")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    private final KernelTimes times = new KernelTimes();

    @Override
    public Integer call() throws Exception {
        if (prompt < 1 || generate < 2 || sequences < 1 || runs < 3 || warmUp < 0) {
            throw new CommandFailure(
                    "--prompt %d --generate %d --sequences %d --runs %d --warm-up %d; expected at least 1, 2, 1, 3 and 0"
                            .formatted(prompt, generate, sequences, runs, warmUp));
        }
        ModelLocation location = ModelLocation.of(which.location());
        int threads = engine.threads() * Math.max(1, split.tensorParallel() * split.pipelineParallel());
        BenchReport.Ceilings ceilings = BenchReport.Ceilings.measure(
                Math.min(threads, Runtime.getRuntime().availableProcessors()));
        List<BenchReport.Run> counted = new ArrayList<>();
        BenchReport report;
        try (Troupe troupe = Engines.open(location, split, engine, times::timing)) {
            BenchReport.Weights weights = BenchReport.Weights.of(location);
            long warm = System.nanoTime() + TimeUnit.SECONDS.toNanos(warmUp);
            do {
                run(troupe, weights.vocabularySize());
            } while (System.nanoTime() - warm < 0);
            PipelineUse before = pipeline(troupe);
            for (int run = 0; run < runs; run++) {
                counted.add(run(troupe, weights.vocabularySize()));
            }
            report = new BenchReport(
                    which.location(),
                    threads,
                    sequences,
                    ceilings,
                    weights,
                    BenchReport.residentNow(),
                    counted,
                    pipeline(troupe).since(before).filter(use -> use.stages() > 1));
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(report.toJson());
        } else {
            report.lines().forEach(out::println);
        }
        out.flush();
        return 0;
    }

    private static PipelineUse pipeline(Troupe troupe) throws Exception {
        return PipelineUse.of(
                troupe.describe(DESCRIBED_WITHIN).toCompletableFuture().get().pipeline());
    }

    private BenchReport.Run run(Troupe troupe, int vocabularySize) throws Exception {
        long start = System.nanoTime();
        List<CompletableFuture<List<Arrival>>> streams = new ArrayList<>();
        for (int sequence = 0; sequence < sequences; sequence++) {
            streams.add(arrivals(troupe, ids(sequence, vocabularySize)));
        }
        List<Arrival> firsts = new ArrayList<>();
        List<Arrival> lasts = new ArrayList<>();
        for (CompletableFuture<List<Arrival>> stream : streams) {
            List<Arrival> arrivals = stream.get();
            if (arrivals.size() != generate) {
                throw new CommandFailure("%d tokens came, expected %d".formatted(arrivals.size(), generate));
            }
            firsts.add(arrivals.getFirst());
            lasts.add(arrivals.getLast());
        }
        Arrival begin = Collections.max(firsts, BY_TIME);
        Arrival end = Collections.min(lasts, BY_TIME);
        if (end.nanos() <= begin.nanos()) {
            throw new CommandFailure("--generate %d is over before all of the %d sequences decode; take more"
                    .formatted(generate, sequences));
        }
        int together = 0;
        for (CompletableFuture<List<Arrival>> stream : streams) {
            for (Arrival arrival : stream.get()) {
                together += arrival.nanos() > begin.nanos() && arrival.nanos() <= end.nanos() ? 1 : 0;
            }
        }
        double first = (begin.nanos() - start) / 1e9;
        double decodeNanos = end.nanos() - begin.nanos();
        return new BenchReport.Run(
                first,
                (double) sequences * prompt / first,
                together / (decodeNanos / 1e9),
                split.oneRankHere() ? begin.shares(end) : Map.of());
    }

    /** Other tokens for every sequence, so that none profits from what another has computed. */
    private int[] ids(int sequence, int vocabularySize) {
        int[] ids = new int[prompt];
        for (int i = 0; i < prompt; i++) {
            ids[i] = (int) ((7919L * (i + 1) + 104_729L * sequence) % vocabularySize);
        }
        return ids;
    }

    /** A token has come: when, by {@link System#nanoTime}, and how long kernels had worked by then. */
    private record Arrival(long nanos, Map<KernelTimes.Operation, Long> kernels) {

        /** Parts of the time until another that kernels worked. */
        Map<KernelTimes.Operation, Double> shares(Arrival end) {
            Map<KernelTimes.Operation, Double> shares = new EnumMap<>(KernelTimes.Operation.class);
            kernels.forEach((operation, before) -> shares.put(
                    operation, (end.kernels.getOrDefault(operation, before) - before) / (double) (end.nanos - nanos)));
            return shares;
        }
    }

    /** The tokens of a new stream, which profits from no earlier one. */
    private CompletableFuture<List<Arrival>> arrivals(Troupe troupe, int[] ids) {
        TextRequest request = TextRequest.greedy("", generate)
                .withPrompt(new TextRequest.Tokens(Ints.of(ids)))
                .withIgnoreEos(true)
                .withCacheSalt(UUID.randomUUID().toString());
        return troupe.generate(request)
                .filter(event -> event instanceof TextEvent.Token)
                .map(_ -> new Arrival(System.nanoTime(), times.now()))
                .runWith(Sink.seq(), troupe.system())
                .toCompletableFuture();
    }
}
