package dev.troupe.stage;

import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;

/** The actor that forms and watches the ranks of one pipeline stage in one epoch. Control only: no activations. */
public final class PipelineStage {
    private PipelineStage() {}

    /** What a stage understands. */
    public sealed interface Command permits Form, Connect, Preparing, Prepared, NotPrepared, Joined, RankLost, Stop {}

    /** Make all ranks of {@code stage} load; answered by {@link StageEvent.Formed} or {@link StageEvent.Lost}. */
    public record Form(Epoch epoch, int stage, ReplicaPlan plan, ActorRef<StageEvent> replyTo) implements Command {}

    /**
     * Make all ranks know their peers; answered by {@link StageEvent.Ready}.
     *
     * @param nextStage ranks of the next stage; empty on the last
     */
    public record Connect(Epoch epoch, List<Peer> nextStage, ActorRef<StepResult> results) implements Command {
        public Connect {
            nextStage = List.copyOf(nextStage);
        }
    }

    /** A rank is there, on the wanted slot, and has begun to load its share, which may take long. */
    public record Preparing(Peer peer) implements Command {}

    /** A rank has loaded its share. */
    public record Prepared(Peer peer) implements Command {}

    /** A rank cannot load its share. */
    public record NotPrepared(ShardId id, String reason) implements Command {}

    /** A rank knows its peers. */
    public record Joined(ShardId id) implements Command {}

    /**
     * A rank cannot go on: it says so itself, or whoever watches its node does.
     *
     * @param reason for people: what happened
     */
    public record RankLost(ShardId id, String reason) implements Command {}

    /** End all ranks and stop. Also the stop message of its cluster shard. */
    public enum Stop implements Command {
        INSTANCE
    }
}
