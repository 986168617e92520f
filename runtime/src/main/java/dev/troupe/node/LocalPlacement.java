package dev.troupe.node;

import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.ShardReport;
import dev.troupe.cluster.placement.Survey;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import dev.troupe.serving.Placement;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardDirectory;
import dev.troupe.stage.ShardHost;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardRoster;
import dev.troupe.stage.TensorShard;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** Places every rank of a replica in this process: no ballot to win, no slot to find. */
final class LocalPlacement {
    private static final String PROCESS = "this process/";

    /** Where generations are. */
    static final String FRONT_END = PROCESS + "frontend";

    private static final long ISSUER = 1;

    private LocalPlacement() {}

    /**
     * The behaviour.
     *
     * @param config shape of the model
     * @param plan everything of a plan but its partition and slots
     * @param host what the shards get from this process, whatever their slot
     */
    static Behavior<Placement.Command> create(
            ModelConfig config, Function<Partition, ReplicaPlan> plan, ShardHost host) {
        return Behaviors.setup(context -> Behaviors.receiveMessage(command -> {
            switch (command) {
                case Placement.Request request -> {
                    try {
                        Partition partition =
                                Partition.even(config, request.pipelineParallel(), request.tensorParallel());
                        request.replyTo().tell(place(context, plan.apply(partition), request.above(), host));
                    } catch (IllegalArgumentException e) {
                        request.replyTo().tell(new Placement.NotPlaced(String.valueOf(e.getMessage())));
                    }
                }
                case Placement.Inquiry inquiry -> inquiry.replyTo().tell(findings(host.roster(), inquiry));
            }
            return Behaviors.same();
        }));
    }

    private static Placement.Findings findings(ShardRoster roster, Placement.Inquiry inquiry) {
        long now = System.nanoTime();
        List<Placement.RankReport> ranks = roster.residents().stream()
                .map(resident -> ShardReport.of(resident.progress(), resident.slot(), now, NodeGuardian.HANGS_AFTER))
                .map(Survey::rank)
                .toList();
        return new Placement.Findings(ranks, inquiry.pipelineParallel() * inquiry.tensorParallel());
    }

    /**
     * A slot for every rank, by stage and rank: the devices in turn.
     *
     * @param devices their places in slots
     */
    static List<List<String>> slots(Partition partition, List<String> devices) {
        List<List<String>> slots = new ArrayList<>();
        int next = 0;
        for (Partition.Stage stage : partition.stages()) {
            List<String> ranks = new ArrayList<>();
            for (int rank = 0; rank < stage.ranks().size(); rank++) {
                ranks.add(PROCESS + devices.get(next++ % devices.size()));
            }
            slots.add(ranks);
        }
        return slots;
    }

    /** Spawns every shard once: a stage asks for it again until it has an answer. */
    static ShardDirectory directory(ActorSystem<?> system, ShardHost host) {
        Map<ShardId, ActorRef<TensorShard.Command>> spawned = new ConcurrentHashMap<>();
        return (id, plan) -> spawned.computeIfAbsent(id, absent -> {
            String slot = plan.slots().get(id.stage()).get(id.rank());
            return system.systemActorOf(
                    TensorShard.create(host.at(slot)), "troupe-shard-" + UUID.randomUUID(), TensorShard.props());
        });
    }

    private static Placement.Placed place(
            ActorContext<Placement.Command> context, ReplicaPlan plan, Epoch above, ShardHost host) {
        ShardDirectory shards = directory(context.getSystem(), host);
        List<RecipientRef<PipelineStage.Command>> stages = new ArrayList<>();
        for (int stage = 0; stage < plan.partition().stages().size(); stage++) {
            stages.add(context.spawnAnonymous(PipelineStage.create(shards)));
        }
        return new Placement.Placed(above.next(ISSUER), plan, stages, Set.of());
    }
}
