package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.kernel.ArithmeticCeiling;
import dev.troupe.kernel.DotCeiling;
import dev.troupe.kernel.KernelTimes;
import dev.troupe.kernel.MemoryCeiling;
import dev.troupe.load.PipelineUse;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.node.ModelLocation;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * What a benchmark found, for people and as JSON.
 *
 * @param model what was measured
 * @param threads CPU threads of all ranks together
 * @param sequences requests at the same time
 * @param ceilings of the machine
 * @param weights what a token reads and computes with
 * @param residentBytes memory of this process with the model loaded; 0 where the system does not tell
 * @param runs the runs that count
 * @param pipeline how full the stages were during all of them; empty if there is one stage
 */
record BenchReport(
        String model,
        int threads,
        int sequences,
        Ceilings ceilings,
        Weights weights,
        long residentBytes,
        List<Run> runs,
        Optional<PipelineUse> pipeline) {
    public BenchReport {
        runs = List.copyOf(runs);
    }

    /**
     * One run.
     *
     * @param firstToken time until every sequence has its first token, seconds
     * @param prefill prompt tokens of all sequences a second until then
     * @param decode tokens of all sequences a second after it, until one has ended
     * @param kernels parts of the time of decode that operations took; empty where ranks share the time or are elsewhere
     */
    record Run(double firstToken, double prefill, double decode, Map<KernelTimes.Operation, Double> kernels) {
        public Run {
            kernels = Map.copyOf(kernels);
        }

        double part(KernelTimes.Operation operation) {
            return kernels.getOrDefault(operation, 0.0);
        }

        double outside() {
            return 1
                    - kernels.values().stream().mapToDouble(Double::doubleValue).sum();
        }
    }

    /**
     * What the machine can do, by the same number of threads each.
     *
     * @param readBytes bytes a second from memory
     * @param readBytesAlone the same by one thread
     * @param flops f32 operations a second, a fused multiply-add counted as two
     * @param dots operations of eight-bit dot products a second; empty where no native products run
     */
    record Ceilings(int threads, double readBytes, double readBytesAlone, double flops, OptionalDouble dots) {
        private static final long BYTES = 1L << 30;
        private static final int PASSES = 7;

        static Ceilings measure(int threads) {
            double all = MemoryCeiling.bytesPerSecond(threads, BYTES, PASSES);
            double alone = threads == 1 ? all : MemoryCeiling.bytesPerSecond(1, BYTES, PASSES);
            return new Ceilings(
                    threads,
                    all,
                    alone,
                    ArithmeticCeiling.flopsPerSecond(threads, PASSES),
                    DotCeiling.operationsPerSecond(threads, PASSES));
        }
    }

    /**
     * Weights of a model.
     *
     * @param bytesPerToken bytes of weights that a decode step reads
     * @param flopsPerPromptToken operations of the layers' matrices on one token of a prompt, of which none but the last needs
     *     logits; attention is not counted
     */
    record Weights(int vocabularySize, long bytesPerToken, long flopsPerPromptToken) {

        /** Counts what a decode step reads: every matrix once, of an embedding table only the output rows. */
        public static Weights of(ModelLocation location) throws IOException {
            try (Checkpoint checkpoint = location.open()) {
                ModelConfig config = checkpoint.config();
                long bytes = checkpoint.weights().tensors().stream()
                        .filter(tensor ->
                                config.tiedEmbeddings() || !tensor.name().equals("model.embed_tokens.weight"))
                        .mapToLong(WeightTensor::byteSize)
                        .sum();
                long elements = checkpoint.weights().tensors().stream()
                        .filter(tensor -> tensor.name().contains(".layers.")
                                && tensor.shape().size() > 1)
                        .mapToLong(WeightTensor::elements)
                        .sum();
                return new Weights(config.vocabularySize(), bytes, 2 * elements);
            }
        }
    }

    /** The report as lines of text. */
    List<String> lines() {
        double decode = median(Run::decode);
        double read = readBytes();
        double flops = flops();
        List<String> lines = new ArrayList<>(List.of(
                "%s, %d threads, %d sequences, medians of %d runs".formatted(model, threads, sequences, runs.size()),
                "  time to first token  %10.3f s".formatted(median(Run::firstToken)),
                "  prefill              %10.1f tokens/s, %.1f GFLOP/s".formatted(median(Run::prefill), flops / 1e9),
                "  decode               %10.1f tokens/s".formatted(decode),
                "  weights read         %10.2f MB/token, %.1f GB/s"
                        .formatted(weights.bytesPerToken() / 1e6, read / 1e9),
                "  read ceiling         %10.1f GB/s with %d threads, %.1f with one; decode uses %.0f %% of it"
                        .formatted(
                                ceilings.readBytes() / 1e9,
                                ceilings.threads(),
                                ceilings.readBytesAlone() / 1e9,
                                100 * read / ceilings.readBytes()),
                "  f32 ceiling          %10.1f GFLOP/s with %d threads; prefill uses %.0f %% of it"
                        .formatted(ceilings.flops() / 1e9, ceilings.threads(), 100 * flops / ceilings.flops()),
                "  resident memory      %10.0f MB, this process".formatted(residentBytes / 1e6)));
        ceilings.dots()
                .ifPresent(dots ->
                        lines.add("  int8 ceiling         %10.1f GOP/s with %d threads; prefill uses %.0f %% of it"
                                .formatted(dots / 1e9, ceilings.threads(), 100 * flops / dots)));
        if (knowsKernels()) {
            lines.add("  decode, parts        %10.1f %% outside kernels; %s"
                    .formatted(
                            100 * median(Run::outside),
                            Arrays.stream(KernelTimes.Operation.values())
                                    .map(operation -> "%s %.1f %%"
                                            .formatted(operation.label(), 100 * median(run -> run.part(operation))))
                                    .collect(Collectors.joining(", "))));
        }
        pipeline.ifPresent(use -> lines.addAll(use.lines()));
        return lines;
    }

    private boolean knowsKernels() {
        return runs.stream().noneMatch(run -> run.kernels().isEmpty());
    }

    /** Bytes of weights a second; every step reads them once for all sequences. */
    private double readBytes() {
        return median(Run::decode) / sequences * weights.bytesPerToken();
    }

    private double flops() {
        return median(Run::prefill) * weights.flopsPerPromptToken();
    }

    /** The report as a JSON object. */
    String toJson() throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        double decode = median(Run::decode);
        root.put("model", model);
        root.put("threads", threads);
        root.put("sequences", sequences);
        root.put("runs", runs.size());
        root.put("first_token_seconds", median(Run::firstToken));
        root.put("prefill_tokens_per_second", median(Run::prefill));
        root.put("decode_tokens_per_second", decode);
        root.put("weight_bytes_per_token", weights.bytesPerToken());
        root.put("read_bytes_per_second", readBytes());
        root.put("read_ceiling_bytes_per_second", ceilings.readBytes());
        root.put("read_ceiling_bytes_per_second_one_thread", ceilings.readBytesAlone());
        root.put("ceiling_threads", ceilings.threads());
        root.put("read_fraction", readBytes() / ceilings.readBytes());
        root.put("prefill_flops_per_second", flops());
        root.put("f32_ceiling_flops_per_second", ceilings.flops());
        root.put("f32_fraction", flops() / ceilings.flops());
        ceilings.dots().ifPresent(dots -> {
            root.put("int8_ceiling_ops_per_second", dots);
            root.put("int8_fraction", flops() / dots);
        });
        if (knowsKernels()) {
            root.put("decode_fraction_outside_kernels", median(Run::outside));
            for (KernelTimes.Operation operation : KernelTimes.Operation.values()) {
                root.put("decode_fraction_" + operation.label(), median(run -> run.part(operation)));
            }
        }
        pipeline.ifPresent(use -> root.set("pipeline", use.toJson()));
        root.put("resident_bytes", residentBytes);
        return mapper.writeValueAsString(root);
    }

    private double median(ToDoubleFunction<Run> value) {
        double[] sorted = runs.stream().mapToDouble(value).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /** Resident memory of this process in bytes; 0 where the system does not tell. */
    static long residentNow() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("[^0-9]", "")))
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }
}
