package dev.troupe.load;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.openai.ApiClient;
import dev.troupe.openai.ApiException;
import dev.troupe.serving.meter.PipelineStats;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * How full the stages of a replica were, by its own count: sums since its epoch began, or between two moments of it. Of servers only
 * ours tell it, by their metrics.
 *
 * @param busySeconds that steps were in flight
 * @param steps that have ended
 * @param stepSeconds that they took, summed
 * @param tokens that they computed
 * @param sequences that took part in them, summed
 * @param bubbleSeconds that each stage had no step while some were in flight
 */
public record PipelineUse(
        double busySeconds,
        double steps,
        double stepSeconds,
        double tokens,
        double sequences,
        List<Double> bubbleSeconds) {
    public PipelineUse {
        bubbleSeconds = List.copyOf(bubbleSeconds);
    }

    /** What the scheduler says. */
    public static PipelineUse of(PipelineStats stats) {
        return new PipelineUse(
                stats.busyNanos() / 1e9,
                stats.stepSeconds().count(),
                stats.stepSeconds().sum(),
                stats.stepTokens().sum(),
                stats.stepSequences().sum(),
                stats.stages().stream().map(stage -> stage.bubbleNanos() / 1e9).toList());
    }

    /** What the server says now; empty if it does not have these metrics, or does not show them. */
    static Optional<PipelineUse> ask(ApiClient client, String key) throws InterruptedException {
        try {
            return parse(client.metrics(key));
        } catch (ApiException e) {
            return Optional.empty();
        }
    }

    /** Reads the text format of Prometheus. */
    static Optional<PipelineUse> parse(String metrics) {
        Map<String, Double> values = new HashMap<>();
        for (String line : metrics.lines().toList()) {
            int end = line.lastIndexOf(' ');
            if (line.startsWith("troupe_") && end > 0) {
                try {
                    values.put(line.substring(0, end), Double.parseDouble(line.substring(end + 1)));
                } catch (NumberFormatException e) {
                    // no value of ours
                }
            }
        }
        List<Double> bubbles = new ArrayList<>();
        for (int stage = 0; ; stage++) {
            Double bubble = values.get("troupe_stage_bubble_seconds{stage=\"%d\"}".formatted(stage));
            if (bubble == null) {
                break;
            }
            bubbles.add(bubble);
        }
        return bubbles.isEmpty()
                ? Optional.empty()
                : Optional.of(new PipelineUse(
                        values.getOrDefault("troupe_pipeline_busy_seconds", Double.NaN),
                        values.getOrDefault("troupe_step_seconds_count", Double.NaN),
                        values.getOrDefault("troupe_step_seconds_sum", Double.NaN),
                        values.getOrDefault("troupe_step_tokens_sum", Double.NaN),
                        values.getOrDefault("troupe_step_sequences_sum", Double.NaN),
                        bubbles));
    }

    /** What has been added since {@code before}; empty if nothing has, or if another epoch has begun. */
    public Optional<PipelineUse> since(PipelineUse before) {
        boolean same = bubbleSeconds.size() == before.bubbleSeconds.size()
                && busySeconds > before.busySeconds
                && steps > before.steps;
        List<Double> bubbles = new ArrayList<>();
        for (int stage = 0; same && stage < bubbleSeconds.size(); stage++) {
            bubbles.add(Math.max(0, bubbleSeconds.get(stage) - before.bubbleSeconds.get(stage)));
        }
        return same
                ? Optional.of(new PipelineUse(
                        busySeconds - before.busySeconds,
                        steps - before.steps,
                        stepSeconds - before.stepSeconds,
                        tokens - before.tokens,
                        sequences - before.sequences,
                        bubbles))
                : Optional.empty();
    }

    /** How many stages there are. */
    public int stages() {
        return bubbleSeconds.size();
    }

    /** Steps in flight on average while any were. */
    public double inFlight() {
        return stepSeconds / busySeconds;
    }

    /** The part of the time with steps in flight that a stage had none, 0 to 1. */
    public double bubble(int stage) {
        return bubbleSeconds.get(stage) / busySeconds;
    }

    /** (S − 1) / (M + S − 1) of S stages and as many micro-batches as were in flight. */
    public double ideal() {
        return PipelineStats.idealBubble(stages(), inFlight());
    }

    /** As lines of text. */
    public List<String> lines() {
        StringBuilder bubbles = new StringBuilder();
        for (int stage = 0; stage < bubbleSeconds.size(); stage++) {
            bubbles.append(String.format(
                    Locale.ROOT, "%sstage %d %.1f %%", stage == 0 ? "" : ", ", stage, 100 * bubble(stage)));
        }
        return List.of(
                String.format(
                        Locale.ROOT,
                        "  steps                %.0f: %.2f ms, %.1f sequences, %.1f tokens on average",
                        steps,
                        1e3 * stepSeconds / steps,
                        sequences / steps,
                        tokens / steps),
                String.format(
                        Locale.ROOT,
                        "  pipeline bubble      %s; (S - 1)/(M + S - 1) = %.1f %% with S = %d stages, M = %.2f steps in flight",
                        bubbles,
                        100 * ideal(),
                        bubbleSeconds.size(),
                        inFlight()));
    }

    /** As a JSON object. */
    public ObjectNode toJson() {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("stages", bubbleSeconds.size());
        node.put("busy_seconds", busySeconds);
        node.put("steps", Math.round(steps));
        node.put("step_seconds_mean", stepSeconds / steps);
        node.put("step_sequences_mean", sequences / steps);
        node.put("step_tokens_mean", tokens / steps);
        node.put("steps_in_flight_mean", inFlight());
        for (int stage = 0; stage < bubbleSeconds.size(); stage++) {
            node.withArray("bubble").add(bubble(stage));
        }
        node.put("ideal_bubble", ideal());
        return node;
    }
}
