package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.Troupe;
import dev.troupe.model.Partition;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.serving.meter.RankUsage;
import dev.troupe.serving.meter.StageUsage;
import dev.troupe.serving.meter.StepTrace;
import dev.troupe.stage.ReplicaPlan;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the web page shows: who hosts what, and what has been done so far. */
final class StatusReport {
    private StatusReport() {}

    /**
     * The report.
     *
     * @param description of the cluster, or null if nobody answers
     * @param stats of the scheduler, or null if it does not answer
     * @param generations the asking tenant's
     */
    static ObjectNode of(
            ServedModel model,
            Troupe.@Nullable Description description,
            @Nullable SchedulerStats stats,
            List<Running.Generation> generations) {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("model", model.id());
        root.put("chat", model.chatPrompt() != null);
        root.put("uptime_seconds", ManagementFactory.getRuntimeMXBean().getUptime() / 1e3);
        root.put("serving", stats != null && stats.serving());
        root.put("epoch", stats == null ? "" : stats.epoch().toString());
        root.put("numerics", description == null ? "" : description.numerics());
        ArrayNode nodes = root.putArray("nodes");
        if (description != null) {
            description.nodes().forEach(nodes::add);
        }
        root.put("computed_tokens", stats == null ? 0 : stats.tokens());
        root.put("completion_tokens", stats == null ? 0 : stats.completionTokens());
        root.put("running_sequences", stats == null ? 0 : stats.runningSequences());
        root.put("waiting_sequences", stats == null ? 0 : stats.waitingSequences());
        stages(root.putArray("stages"), stats);
        PipelineStats pipeline = stats == null ? PipelineStats.NONE : stats.pipeline();
        pipeline(root.putObject("pipeline"), pipeline);
        timeline(root.putArray("timeline"), pipeline);
        blocks(root.putObject("kv"), stats);
        ArrayNode own = root.putArray("generations");
        generations.forEach(generation -> {
            ObjectNode node = own.addObject();
            node.put("id", generation.id());
            node.put("tokens", generation.tokens());
        });
        return root;
    }

    private static void stages(ArrayNode stages, @Nullable SchedulerStats stats) {
        ReplicaPlan plan = stats == null ? null : stats.plan();
        if (stats == null || plan == null) {
            return;
        }
        for (int number = 0; number < plan.partition().stages().size(); number++) {
            Partition.Stage stage = plan.partition().stages().get(number);
            ObjectNode node = stages.addObject();
            node.put("stage", number);
            node.put("from_layer", stage.fromLayer());
            node.put("to_layer", stage.toLayer());
            StageUsage usage = stats.pipeline().stages().get(number);
            node.put("compute_seconds", usage.computeNanos() / 1e9);
            node.put("wait_seconds", usage.waitNanos() / 1e9);
            node.put("exchange_wait_seconds", usage.exchangeNanos() / 1e9);
            node.put("bubble_seconds", usage.bubbleNanos() / 1e9);
            ArrayNode ranks = node.putArray("ranks");
            for (int rank = 0; rank < stage.ranks().size(); rank++) {
                Partition.Rank part = stage.ranks().get(rank);
                ObjectNode child = ranks.addObject();
                slot(child, plan.slots().get(number).get(rank));
                usage(child, stats.pipeline(), number, rank);
                child.put("from_group", part.fromGroup());
                child.put("to_group", part.toGroup());
            }
        }
    }

    /** Of {@code host:port#uid/device}. */
    private static void slot(ObjectNode rank, String slot) {
        int device = slot.lastIndexOf('/');
        rank.put("node", slot.substring(0, Math.max(0, device)).replaceAll("#[0-9a-f-]+", ""));
        rank.put("device", slot.substring(device + 1));
    }

    private static void usage(ObjectNode node, PipelineStats pipeline, int stage, int rank) {
        for (RankUsage usage : pipeline.ranks()) {
            if (usage.stage() == stage && usage.rank() == rank) {
                node.put("compute_seconds", usage.computeNanos() / 1e9);
                node.put("exchange_wait_seconds", usage.exchangeNanos() / 1e9);
            }
        }
    }

    /** Sums of the epoch. */
    private static void pipeline(ObjectNode node, PipelineStats pipeline) {
        node.put("busy_seconds", pipeline.busyNanos() / 1e9);
        node.put("steps", pipeline.stepSeconds().count());
        node.put("step_seconds", pipeline.stepSeconds().sum());
        node.put("step_tokens", pipeline.stepTokens().sum());
        node.put("step_sequences", pipeline.stepSequences().sum());
    }

    private static void timeline(ArrayNode steps, PipelineStats pipeline) {
        for (StepTrace trace : pipeline.recent()) {
            ObjectNode step = steps.addObject();
            step.put("step", trace.step());
            step.put("sequences", trace.sequences());
            step.put("tokens", trace.tokens());
            step.put("sent", trace.sentNanos() / 1e9);
            step.put("retired", trace.retiredNanos() / 1e9);
            ArrayNode spans = step.putArray("spans");
            trace.stages()
                    .forEach(span ->
                            spans.addArray().add(span.startNanos() / 1e9).add(span.endNanos() / 1e9));
        }
    }

    private static void blocks(ObjectNode kv, @Nullable SchedulerStats stats) {
        int blocks = stats == null ? 0 : stats.blocks();
        int free = stats == null ? 0 : stats.freeBlocks();
        int retiring = stats == null ? 0 : stats.retiringBlocks();
        kv.put("blocks", blocks);
        int cached = stats == null ? 0 : stats.prefixes().cachedBlocks();
        kv.put("free", Math.max(0, free - cached));
        kv.put("retiring", retiring);
        kv.put("held", stats == null ? 0 : stats.usedBlocks());
        kv.put("cached", cached);
        ReplicaPlan plan = stats == null ? null : stats.plan();
        kv.put("block_size", plan == null ? 0 : plan.kvBlockSize());
        kv.put("queried_tokens", stats == null ? 0 : stats.prefixes().queriedTokens());
        kv.put("hit_tokens", stats == null ? 0 : stats.prefixes().hitTokens());
    }
}
