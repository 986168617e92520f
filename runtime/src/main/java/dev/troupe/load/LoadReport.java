package dev.troupe.load;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.openai.Usage;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * What a run has measured.
 *
 * @param plan what was sent
 * @param seconds from the first request to the last answer
 * @param warmUpFailed requests that failed before counting began
 * @param tokens of the requests that completed
 * @param times how long it took
 * @param failures by what they were
 * @param tenants what each has got
 * @param pipeline how full the server's stages were, or null if it does not say
 */
public record LoadReport(
        LoadPlan plan,
        double seconds,
        long warmUpFailed,
        Tokens tokens,
        Times times,
        List<Failure> failures,
        List<TenantShare> tenants,
        @Nullable PipelineUse pipeline) {

    /**
     * What the server says of tokens.
     *
     * @param counted whether it did so for every request; otherwise completion tokens are the pieces that came
     * @param prompt tokens of prompts
     * @param cached those of them that were not computed again, or {@link Usage#UNKNOWN}
     */
    public record Tokens(boolean counted, long prompt, long cached) {}

    /**
     * Latencies, in an open loop from when a request was due.
     *
     * @param firstToken to the first token; of streams only
     * @param betweenTokens from one piece of a stream to the next
     * @param endToEnd to the end of the answer
     * @param behindSchedule from when a request was due until it was sent: what the generator itself adds
     */
    public record Times(Latencies firstToken, Latencies betweenTokens, Latencies endToEnd, Latencies behindSchedule) {}

    /**
     * Failures that look the same.
     *
     * @param label status and error code
     * @param count of requests
     * @param example what the first of them said
     */
    public record Failure(String label, long count, String example) {}

    /**
     * What a tenant has got.
     *
     * @param tokens of the requests that completed
     * @param tokensWhileAllAsked that came while every tenant had requests to send; later ones say nothing about fairness
     */
    public record TenantShare(
            String name, double weight, long completed, long failed, long tokens, long tokensWhileAllAsked) {}

    /** Requests that completed. */
    public long completed() {
        return tenants.stream().mapToLong(TenantShare::completed).sum();
    }

    /** Requests that failed. */
    public long failed() {
        return tenants.stream().mapToLong(TenantShare::failed).sum();
    }

    /** Tokens of all answers that completed. */
    public long completionTokens() {
        return tenants.stream().mapToLong(TenantShare::tokens).sum();
    }

    /** Jain's index of the tenants' tokens, each divided by the tenant's weight; empty if nobody has got any. */
    public OptionalDouble fairness() {
        return Tenant.fairness(tenants.stream()
                .map(share -> share.tokensWhileAllAsked() / share.weight())
                .toList());
    }

    private double perSecond(long count) {
        return seconds > 0 ? count / seconds : 0;
    }

    private String pace() {
        return switch (plan.pace()) {
            case Pace.Open open -> String.format(Locale.ROOT, "open loop, %s requests/s", open.rate());
            case Pace.Closed closed -> "closed loop, %d at a time".formatted(closed.concurrency());
        };
    }

    /** The report as lines of text. */
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("%s, %s".formatted(plan.model(), pace()));
        lines.add(line(
                "  requests             %d completed, %d failed in %.1f s: %.2f/s",
                completed(), failed(), seconds, perSecond(completed())));
        for (Failure failure : failures) {
            lines.add(line("    %d failed: %s: %s", failure.count(), failure.label(), failure.example()));
        }
        if (warmUpFailed > 0) {
            lines.add(line("    %d of %d failed while warming up, not counted", warmUpFailed, plan.warmUp()));
        }
        lines.add(line(
                "  completion tokens    %d%s: %.1f/s",
                completionTokens(),
                tokens.counted() ? "" : " (pieces; the server does not count)",
                perSecond(completionTokens())));
        if (tokens.prompt() > 0) {
            lines.add(line("  prompt tokens        %d%s", tokens.prompt(), cached()));
        }
        if (completed() > 0) {
            lines.add("  milliseconds               p50       p90       p99       max      mean");
        }
        add(lines, "time to first token", times.firstToken());
        add(lines, "time between tokens", times.betweenTokens());
        add(lines, "end to end", times.endToEnd());
        if (plan.pace() instanceof Pace.Open) {
            add(lines, "sent after due", times.behindSchedule());
        }
        if (pipeline != null) {
            lines.addAll(pipeline.lines());
        }
        if (tenants.size() > 1) {
            for (TenantShare share : tenants) {
                lines.add(line(
                        "  tenant %-12s  %d completed, %d failed, %d tokens; %d while all asked, weight %s",
                        share.name(),
                        share.completed(),
                        share.failed(),
                        share.tokens(),
                        share.tokensWhileAllAsked(),
                        share.weight()));
            }
            fairness()
                    .ifPresent(index -> lines.add(
                            line("  fairness             %.4f (Jain's index of tokens by weight; 1 is fair)", index)));
        }
        return lines;
    }

    private String cached() {
        return tokens.cached() == Usage.UNKNOWN
                ? ""
                : line(", %d of them cached (%.1f %%)", tokens.cached(), 100.0 * tokens.cached() / tokens.prompt());
    }

    private static void add(List<String> lines, String name, Latencies latencies) {
        if (latencies.count() > 0) {
            lines.add(line(
                    "  %-19s  %9.2f %9.2f %9.2f %9.2f %9.2f",
                    name,
                    1e3 * latencies.percentile(50),
                    1e3 * latencies.percentile(90),
                    1e3 * latencies.percentile(99),
                    1e3 * latencies.max(),
                    1e3 * latencies.mean()));
        }
    }

    @SuppressWarnings("AnnotateFormatMethod") // private, and every format is printed by a test
    private static String line(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }

    /** The report as a JSON object; what the server did not tell or the run did not measure is null. */
    public ObjectNode toJson() {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("model", plan.model());
        switch (plan.pace()) {
            case Pace.Open open -> root.put("rate", open.rate());
            case Pace.Closed closed -> root.put("concurrency", closed.concurrency());
        }
        root.put("seed", plan.seed());
        root.put("seconds", seconds);
        root.put("completed", completed());
        root.put("failed", failed());
        root.put("warm_up_failed", warmUpFailed);
        ObjectNode byLabel = root.putObject("failures");
        failures.forEach(failure -> byLabel.put(failure.label(), failure.count()));
        root.put("requests_per_second", perSecond(completed()));
        root.put("completion_tokens", completionTokens());
        root.put("completion_tokens_counted_by_server", tokens.counted());
        root.put("completion_tokens_per_second", perSecond(completionTokens()));
        root.put("prompt_tokens", tokens.counted() ? (Long) tokens.prompt() : null);
        root.put("cached_tokens", tokens.cached() == Usage.UNKNOWN ? null : (Long) tokens.cached());
        root.set("first_token_seconds", json(times.firstToken()));
        root.set("between_tokens_seconds", json(times.betweenTokens()));
        root.set("end_to_end_seconds", json(times.endToEnd()));
        root.set("sent_after_due_seconds", plan.pace() instanceof Pace.Open ? json(times.behindSchedule()) : null);
        root.set("pipeline", pipeline == null ? null : pipeline.toJson());
        if (tenants.size() > 1) {
            tenants.forEach(share -> root.withArray("tenants").add(json(share)));
            root.put("fairness", fairness().isPresent() ? (Double) fairness().getAsDouble() : null);
        }
        return root;
    }

    private static ObjectNode json(TenantShare share) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("name", share.name());
        node.put("weight", share.weight());
        node.put("completed", share.completed());
        node.put("failed", share.failed());
        node.put("tokens", share.tokens());
        node.put("tokens_while_all_asked", share.tokensWhileAllAsked());
        return node;
    }

    private static @Nullable ObjectNode json(Latencies latencies) {
        if (latencies.count() == 0) {
            return null;
        }
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("count", latencies.count());
        node.put("p50", latencies.percentile(50));
        node.put("p90", latencies.percentile(90));
        node.put("p99", latencies.percentile(99));
        node.put("max", latencies.max());
        node.put("mean", latencies.mean());
        return node;
    }
}
