package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardWork;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;

/**
 * How a scheduler gets a new epoch: somebody wins the ballot on enough nodes, chooses slots, and says where the stages
 * are. Messages stay inside a JVM.
 */
public final class Placement {
    private Placement() {}

    /** What a scheduler asks. */
    public sealed interface Command {}

    /**
     * Place one replica.
     *
     * @param model registered id
     * @param pipelineParallel stages
     * @param tensorParallel ranks of every stage
     * @param above the new epoch must be higher than this
     * @param here whether all ranks must be on the node of the scheduler, if it has devices: links between nodes seem broken
     * @param avoid slots that get no rank, as long as the others can take all: they are slow
     */
    public record Request(
            String model,
            int replica,
            int pipelineParallel,
            int tensorParallel,
            Epoch above,
            boolean here,
            Set<String> avoid,
            ActorRef<Outcome> replyTo)
            implements Command {
        public Request {
            avoid = Set.copyOf(avoid);
        }

        /** One that avoids nothing. */
        public Request(
                String model,
                int replica,
                int pipelineParallel,
                int tensorParallel,
                Epoch above,
                boolean here,
                ActorRef<Outcome> replyTo) {
            this(model, replica, pipelineParallel, tensorParallel, above, here, Set.of(), replyTo);
        }
    }

    /**
     * How are the ranks of all nodes, and how many of this replica could be placed now? Changes nothing.
     *
     * @param avoid slots that would get no rank
     * @param within how long a node may take to answer
     */
    public record Inquiry(
            String model,
            int pipelineParallel,
            int tensorParallel,
            Set<String> avoid,
            Duration within,
            ActorRef<Findings> replyTo)
            implements Command {
        public Inquiry {
            avoid = Set.copyOf(avoid);
        }
    }

    /**
     * Answer to {@link Inquiry}.
     *
     * @param ranks those of the nodes that have answered, of any replica and epoch
     * @param possible ranks that a placement would make now, without the slots to avoid; 0 if there is no room
     */
    public record Findings(List<RankReport> ranks, int possible) {
        public Findings {
            ranks = List.copyOf(ranks);
        }
    }

    /** One rank, as its node sees it. */
    public record RankReport(ShardId id, State state, ShardWork work) {
        /** What it does. */
        public enum State {
            /** In the local work of a segment, for no longer than it may. */
            COMPUTING,
            /** In the local work of one segment for longer than it may. */
            STUCK,
            /** Nothing itself: it loads, it has nothing to do, or it waits for others. */
            OTHER
        }
    }

    /** How it went. */
    public sealed interface Outcome {}

    /**
     * The ballot is won and the slots are chosen; the stages are still to be formed.
     *
     * @param alive nodes that have answered, {@code host:port#uid}, whether they host a rank or not
     */
    public record Placed(
            Epoch epoch, ReplicaPlan plan, List<RecipientRef<PipelineStage.Command>> stages, Set<String> alive)
            implements Outcome {
        public Placed {
            stages = List.copyOf(stages);
            alive = Set.copyOf(alive);
        }
    }

    /**
     * Another scheduler has taken the replica over since the epoch that the request names was issued here.
     *
     * @param by its epoch
     */
    public record Superseded(Epoch by) implements Outcome {}

    /**
     * There will be no more epochs from here, and others may issue them: the scheduler gives its work back.
     *
     * @param reason for people
     */
    public record Withdrawn(String reason) implements Outcome {}

    /** No epoch for now; the reason says what is missing. */
    public record NotPlaced(String reason) implements Outcome {}
}
