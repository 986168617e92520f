package dev.troupe.node;

import dev.troupe.client.FrontEnd;
import dev.troupe.client.Troupe;
import dev.troupe.model.ModelConfig;
import dev.troupe.report.PlacementPicture;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.stage.ReplicaPlan;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/**
 * Asks the scheduler of a replica how it is, and draws who hosts what.
 *
 * @param config shape of the model
 * @param model registered id
 * @param numerics numerics id
 * @param scheduler finds the scheduler, if there is one
 * @param nodes members as this node knows them
 * @param refused members that cannot take part, each with the reason
 * @param frontEnds nodes that clients can talk to
 * @param roles who plays which role, ranks aside
 */
record ReplicaDescriber(
        ActorSystem<?> system,
        ModelConfig config,
        String model,
        String numerics,
        Supplier<Optional<RecipientRef<Scheduler.Command>>> scheduler,
        Supplier<List<String>> nodes,
        Supplier<List<String>> refused,
        Supplier<List<String>> frontEnds,
        Supplier<Map<String, String>> roles)
        implements FrontEnd.Describer {
    private static final Duration WITHIN = Duration.ofSeconds(2);

    @Override
    public void describe(ActorRef<Troupe.Description> replyTo) {
        Optional<RecipientRef<Scheduler.Command>> found = scheduler.get();
        if (found.isEmpty()) {
            replyTo.tell(description(null));
            return;
        }
        AskPattern.<Scheduler.Command, SchedulerStats>ask(
                        found.get(), Scheduler.GetStats::new, WITHIN, system.scheduler())
                .whenComplete((stats, failure) -> replyTo.tell(description(failure == null ? stats : null)));
    }

    private Troupe.Description description(@Nullable SchedulerStats stats) {
        ReplicaPlan plan = stats == null || !stats.serving() ? null : stats.plan();
        List<String> picture = plan == null
                ? List.of()
                : new PlacementPicture(
                                config,
                                plan.partition(),
                                plan.slots().stream()
                                        .map(slots -> slots.stream()
                                                .map(ReplicaDescriber::place)
                                                .toList())
                                        .toList())
                        .lines();
        return new Troupe.Description(
                model,
                plan != null,
                nodes.get(),
                refused.get(),
                picture,
                numerics,
                frontEnds.get(),
                plan == null || stats == null ? "" : stats.epoch().toString(),
                roles(plan),
                plan == null || stats == null ? PipelineStats.NONE : stats.pipeline());
    }

    private Map<String, String> roles(@Nullable ReplicaPlan plan) {
        Map<String, String> all = new TreeMap<>(roles.get());
        if (plan != null) {
            for (int stage = 0; stage < plan.slots().size(); stage++) {
                for (int rank = 0; rank < plan.slots().get(stage).size(); rank++) {
                    String slot = plan.slots().get(stage).get(rank);
                    all.put("stage-%d/rank-%d".formatted(stage, rank), slot.replaceAll("#.*", ""));
                }
            }
        }
        return all;
    }

    /** A slot without the incarnation, which people do not want to read. */
    private static String place(String slot) {
        return slot.replaceAll("#[0-9a-f-]+", "");
    }
}
