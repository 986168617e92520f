package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.node.ModelLocation;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What a benchmark found, for people and as JSON.
 *
 * @param model what was measured
 * @param threads CPU threads of all ranks together
 * @param readers threads that measured the ceiling
 * @param ceiling read bandwidth of the memory, bytes a second
 * @param weights what a token reads
 * @param runs the runs that count
 */
record BenchReport(String model, int threads, int readers, double ceiling, Weights weights, List<Run> runs) {
    public BenchReport {
        runs = List.copyOf(runs);
    }

    /**
     * One run.
     *
     * @param firstToken time to the first token, seconds
     * @param prefill prompt tokens a second until the first token
     * @param decode tokens a second after it
     */
    record Run(double firstToken, double prefill, double decode) {}

    /**
     * Weights of a model.
     *
     * @param bytesPerToken bytes of weights that a decode step of one sequence reads
     */
    record Weights(int vocabularySize, long bytesPerToken) {

        /** Counts what a decode step reads: every matrix once, of an embedding table only the output rows. */
        public static Weights of(ModelLocation location) throws IOException {
            try (Checkpoint checkpoint = location.open()) {
                ModelConfig config = checkpoint.config();
                long bytes = checkpoint.weights().tensors().stream()
                        .filter(tensor ->
                                config.tiedEmbeddings() || !tensor.name().equals("model.embed_tokens.weight"))
                        .mapToLong(WeightTensor::byteSize)
                        .sum();
                return new Weights(config.vocabularySize(), bytes);
            }
        }
    }

    /** The report as lines of text. */
    List<String> lines() {
        double decode = median(Run::decode);
        double read = decode * weights.bytesPerToken();
        return List.of(
                "%s, %d threads, medians of %d runs".formatted(model, threads, runs.size()),
                "  time to first token  %10.3f s".formatted(median(Run::firstToken)),
                "  prefill              %10.1f tokens/s".formatted(median(Run::prefill)),
                "  decode               %10.1f tokens/s".formatted(decode),
                "  weights read         %10.2f MB/token, %.1f GB/s"
                        .formatted(weights.bytesPerToken() / 1e6, read / 1e9),
                "  read ceiling         %10.1f GB/s with %d threads; decode uses %.0f %% of it"
                        .formatted(ceiling / 1e9, readers, 100 * read / ceiling),
                "  resident memory      %10.0f MB, this process".formatted(residentBytes() / 1e6));
    }

    /** The report as a JSON object. */
    String toJson() throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        double decode = median(Run::decode);
        double read = decode * weights.bytesPerToken();
        root.put("model", model);
        root.put("threads", threads);
        root.put("runs", runs.size());
        root.put("first_token_seconds", median(Run::firstToken));
        root.put("prefill_tokens_per_second", median(Run::prefill));
        root.put("decode_tokens_per_second", decode);
        root.put("weight_bytes_per_token", weights.bytesPerToken());
        root.put("read_bytes_per_second", read);
        root.put("read_ceiling_bytes_per_second", ceiling);
        root.put("read_ceiling_threads", readers);
        root.put("read_fraction", read / ceiling);
        root.put("resident_bytes", residentBytes());
        return mapper.writeValueAsString(root);
    }

    private double median(ToDoubleFunction<Run> value) {
        double[] sorted = runs.stream().mapToDouble(value).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /** Resident memory of this process in bytes; 0 where the system does not tell. */
    private static long residentBytes() {
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
