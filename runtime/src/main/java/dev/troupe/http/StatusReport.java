package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.Troupe;
import dev.troupe.model.Partition;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.StageWork;
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
            long compute = 0;
            long wait = 0;
            for (StageWork work : stats.work()) {
                compute += work.stage() == number ? work.computeNanos() : 0;
                wait += work.stage() == number ? work.waitNanos() : 0;
            }
            node.put("compute_seconds", compute / 1e9);
            node.put("wait_seconds", wait / 1e9);
            ArrayNode ranks = node.putArray("ranks");
            for (int rank = 0; rank < stage.ranks().size(); rank++) {
                Partition.Rank part = stage.ranks().get(rank);
                ObjectNode child = ranks.addObject();
                child.put("slot", plan.slots().get(number).get(rank).replaceAll("#[0-9a-f-]+", ""));
                child.put("from_group", part.fromGroup());
                child.put("to_group", part.toGroup());
            }
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
        kv.put("held", blocks - free - retiring);
        kv.put("cached", cached);
        kv.put("hit_tokens", stats == null ? 0 : stats.prefixes().hitTokens());
    }
}
