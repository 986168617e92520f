package dev.troupe.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.tensor.Floats;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/** What an independent float64 program computed from a checkpoint. */
public final class Golden {
    private final int[] inputIds;
    private final int[] positions;
    private final double[][] logits;
    private final int[] prompt;
    private final int[] greedyIds;

    private Golden(int[] inputIds, int[] positions, double[][] logits, int[] prompt, int[] greedyIds) {
        this.inputIds = inputIds;
        this.positions = positions;
        this.logits = logits;
        this.prompt = prompt;
        this.greedyIds = greedyIds;
    }

    /** The main answers of {@code golden.json} in a checkpoint's directory. */
    public static Golden read(Path checkpoint) throws IOException {
        JsonNode json = json(checkpoint);
        JsonNode input = json.has("logits_input") ? json.get("logits_input") : json.get("input_ids");
        return of(json, ints(input), ints(json.get("input_ids")));
    }

    /** The answers under another definition. */
    public static Golden variant(Path checkpoint, String name) throws IOException {
        JsonNode json = json(checkpoint);
        JsonNode input = json.has("logits_input") ? json.get("logits_input") : json.get("input_ids");
        return of(json.get("variants").get(name), ints(input), ints(json.get("input_ids")));
    }

    /** The greedy answers after further prompts, without logits. */
    public static Golden more(Path checkpoint, int index) throws IOException {
        JsonNode json = json(checkpoint).get("more").get(index);
        int[] prompt = ints(json.get("input_ids"));
        return new Golden(prompt, new int[0], new double[0][], prompt, ints(json.get("greedy_ids")));
    }

    /**
     * The answers of an object that has them, with its input beside them.
     *
     * @param variant the definition, or null for the main one
     */
    public static Golden of(JsonNode json, @Nullable String variant) {
        int[] input = ints(json.get("input_ids"));
        int[] prompt = json.has("greedy_from") ? ints(json.get("greedy_from")) : input;
        return of(variant == null ? json : json.get("variants").get(variant), input, prompt);
    }

    private static Golden of(JsonNode json, int[] input, int[] prompt) {
        double[][] logits = StreamSupport.stream(json.get("logits").spliterator(), false)
                .map(row -> StreamSupport.stream(row.spliterator(), false)
                        .mapToDouble(JsonNode::doubleValue)
                        .toArray())
                .toArray(double[][]::new);
        int[] positions = json.has("positions")
                ? ints(json.get("positions"))
                : IntStream.range(0, logits.length).toArray();
        return new Golden(input, positions, logits, prompt, ints(json.get("greedy_ids")));
    }

    private static JsonNode json(Path checkpoint) throws IOException {
        return new ObjectMapper().readTree(checkpoint.resolve("golden.json").toFile());
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }

    /** Tokens whose logits are known. */
    public int[] inputIds() {
        return inputIds;
    }

    /** Whether logits are known, and not only greedy tokens. */
    public boolean hasLogits() {
        return positions.length > 0;
    }

    /** Tokens after which greedy decoding starts. */
    public int[] prompt() {
        return prompt;
    }

    /** What greedy decoding appends. */
    public int[] greedyIds() {
        return greedyIds;
    }

    /** Largest distance of {@code actual}, which has a row for every input id, in standard deviations of the answers. */
    public double distance(Floats actual) {
        return distance(rows(actual));
    }

    /** The same for doubles. */
    public double distance(double[][] actual) {
        double[][] rows = new double[positions.length][];
        for (int i = 0; i < positions.length; i++) {
            rows[i] = actual[positions[i]];
        }
        return distance(logits, rows);
    }

    /** Largest distance of {@code actual} from {@code expected}, in standard deviations of the latter. */
    public static double distance(double[][] expected, Floats actual) {
        return distance(expected, rows(actual));
    }

    /** The same for doubles; not a number where {@code actual} is none. */
    public static double distance(double[][] expected, double[][] actual) {
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            for (int id = 0; id < expected[i].length; id++) {
                double difference = Math.abs(actual[i][id] - expected[i][id]);
                largest = Double.isNaN(difference) ? Double.NaN : Math.max(largest, difference);
            }
        }
        return largest / deviation(expected);
    }

    /** Root of the mean square of the distances of {@code actual}, in standard deviations of the answers. */
    public double rms(Floats actual) {
        double squares = 0;
        for (int i = 0; i < positions.length; i++) {
            for (int id = 0; id < logits[i].length; id++) {
                double difference = actual.get(positions[i], id) - logits[i][id];
                squares += difference * difference;
            }
        }
        return Math.sqrt(squares / ((long) logits.length * logits[0].length)) / deviation(logits);
    }

    private static double[][] rows(Floats values) {
        double[][] rows = new double[values.rows()][values.columns()];
        for (int r = 0; r < values.rows(); r++) {
            for (int c = 0; c < values.columns(); c++) {
                rows[r][c] = values.get(r, c);
            }
        }
        return rows;
    }

    private static double deviation(double[][] rows) {
        double sum = 0;
        double squares = 0;
        long count = 0;
        for (double[] row : rows) {
            for (double value : row) {
                sum += value;
                squares += value * value;
                count++;
            }
        }
        return Math.sqrt(squares / count - (sum / count) * (sum / count));
    }
}
