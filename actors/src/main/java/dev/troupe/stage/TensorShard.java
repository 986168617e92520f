package dev.troupe.stage;

import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;

/** The actor of one tensor-parallel rank of one pipeline stage in one epoch. */
public final class TensorShard {
    private TensorShard() {}

    /** What a shard understands. */
    public sealed interface Command permits TensorMessage, Prepare, Join, Execute, Stop {}

    /**
     * Load your share. Answered by {@link PipelineStage.Preparing} at once and later by {@link PipelineStage.Prepared},
     * or by {@link PipelineStage.NotPrepared}.
     *
     * @param id who the shard is
     * @param slot where the plan wants it; it refuses to run elsewhere
     */
    public record Prepare(ShardId id, String slot, ReplicaPlan plan, ActorRef<PipelineStage.Command> replyTo)
            implements Command {}

    /**
     * Know your peers. Answered by {@link PipelineStage.Joined}.
     *
     * @param ranks all ranks of this stage in order, itself included
     * @param nextStage all ranks of the next stage in order; empty on the last
     * @param results who gets the step results; used by rank 0 of the last stage
     */
    public record Join(
            Epoch epoch,
            List<Peer> ranks,
            List<Peer> nextStage,
            ActorRef<StepResult> results,
            ActorRef<PipelineStage.Command> replyTo)
            implements Command {
        public Join {
            ranks = List.copyOf(ranks);
            nextStage = List.copyOf(nextStage);
        }
    }

    /** Run a step; sent by the scheduler to every rank of stage 0. */
    public record Execute(StepBatch batch) implements Command {}

    /** End: free everything and stop. Also the stop message of its cluster shard. */
    public enum Stop implements Command {
        INSTANCE
    }
}
