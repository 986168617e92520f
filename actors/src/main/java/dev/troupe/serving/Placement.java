package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;

/**
 * How a scheduler gets a new epoch: somebody wins the ballot on enough nodes, chooses slots, and says where the stages
 * are. Messages stay inside a JVM.
 */
public final class Placement {
    private Placement() {}

    /**
     * Place one replica.
     *
     * @param model registered id
     * @param pipelineParallel stages
     * @param tensorParallel ranks of every stage
     * @param above the new epoch must be higher than this
     * @param here whether all ranks must be on the node of the scheduler, if it has devices: links between nodes seem broken
     */
    public record Request(
            String model,
            int replica,
            int pipelineParallel,
            int tensorParallel,
            Epoch above,
            boolean here,
            ActorRef<Outcome> replyTo) {}

    /** How it went. */
    public sealed interface Outcome {}

    /** The ballot is won and the slots are chosen; the stages are still to be formed. */
    public record Placed(Epoch epoch, ReplicaPlan plan, List<RecipientRef<PipelineStage.Command>> stages)
            implements Outcome {
        public Placed {
            stages = List.copyOf(stages);
        }
    }

    /**
     * Another scheduler has taken the replica over since the epoch that the request names was issued here.
     *
     * @param by its epoch
     */
    public record Superseded(Epoch by) implements Outcome {}

    /** No epoch for now; the reason says what is missing. */
    public record NotPlaced(String reason) implements Outcome {}
}
