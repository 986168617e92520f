package dev.troupe.serving;

import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.Peer;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.StageEvent;
import dev.troupe.stage.StepResult;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;

/**
 * The stages of one epoch on their way from placed to ready, and afterwards who hosts what. All stages load; when every
 * one has formed they learn each other's ranks; when every one is ready steps may come.
 */
final class Formation {
    private final Epoch epoch;
    private final ReplicaPlan plan;
    private final List<RecipientRef<PipelineStage.Command>> stages;
    private final TreeMap<Integer, StageEvent.Formed> formed = new TreeMap<>();
    private final Set<Integer> ready = new HashSet<>();

    Formation(Epoch epoch, ReplicaPlan plan, List<RecipientRef<PipelineStage.Command>> stages) {
        this.epoch = epoch;
        this.plan = plan;
        this.stages = List.copyOf(stages);
        int expected = plan.partition().stages().size();
        if (stages.size() != expected) {
            throw new IllegalArgumentException(
                    "placed %d stages of %s, expected %d".formatted(stages.size(), epoch, expected));
        }
    }

    Epoch epoch() {
        return epoch;
    }

    ReplicaPlan plan() {
        return plan;
    }

    /** Makes all stages load. */
    void form(ActorRef<StageEvent> replyTo) {
        for (int stage = 0; stage < stages.size(); stage++) {
            stages.get(stage).tell(new PipelineStage.Form(epoch, stage, plan, replyTo));
        }
    }

    /** Notes a formed stage; connects all of them when it was the last. */
    void noteFormed(StageEvent.Formed event, ActorRef<StepResult> results) {
        boolean repeated = formed.put(event.stage(), event) != null;
        if (repeated || formed.size() < stages.size()) {
            return;
        }
        formed.forEach((stage, there) -> there.ref().tell(new PipelineStage.Connect(epoch, ranks(stage + 1), results)));
    }

    /** Notes a ready stage. */
    void noteReady(StageEvent.Ready event) {
        ready.add(event.stage());
    }

    /** Whether steps may come. */
    boolean isReady() {
        return ready.size() == stages.size();
    }

    /** Ranks of stage 0, who get the steps. */
    List<Peer> entrance() {
        return ranks(0);
    }

    private List<Peer> ranks(int stage) {
        StageEvent.Formed there = formed.get(stage);
        return there == null ? List.of() : there.ranks();
    }

    /** Ends all stages. */
    void stop() {
        for (int stage = 0; stage < stages.size(); stage++) {
            StageEvent.Formed there = formed.get(stage);
            (there == null ? stages.get(stage) : there.ref()).tell(PipelineStage.Stop.INSTANCE);
        }
    }

    /** The node of a rank, {@code host:port#uid}. */
    String node(int stage, int rank) {
        return node(plan.slots().get(stage).get(rank));
    }

    private static String node(String slot) {
        int place = slot.lastIndexOf('/');
        return place < 0 ? slot : slot.substring(0, place);
    }

    /** Every slot and what it hosts, for people. */
    String whoHostsWhat() {
        List<String> all = new ArrayList<>();
        for (int stage = 0; stage < plan.slots().size(); stage++) {
            for (int rank = 0; rank < plan.slots().get(stage).size(); rank++) {
                all.add(plan.slots().get(stage).get(rank) + " hosts " + share(stage, rank));
            }
        }
        return String.join(", ", all);
    }

    private String share(int stage, int rank) {
        Partition.Stage layers = plan.partition().stages().get(stage);
        Partition.Rank groups = layers.ranks().get(rank);
        return "stage %d rank %d (layers %d to %d, KV groups %d to %d)"
                .formatted(
                        stage,
                        rank,
                        layers.fromLayer(),
                        layers.toLayer() - 1,
                        groups.fromGroup(),
                        groups.toGroup() - 1);
    }
}
