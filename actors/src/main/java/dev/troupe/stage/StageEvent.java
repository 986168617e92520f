package dev.troupe.stage;

import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;

/** What a pipeline stage reports to the scheduler that formed it. */
public sealed interface StageEvent {
    Epoch epoch();

    /** 0-based stage. */
    int stage();

    /**
     * All ranks have loaded.
     *
     * @param ranks where they can be reached, in rank order
     * @param ref where the stage itself can be reached without its region, in which a message to one that has ended would wait
     */
    record Formed(Epoch epoch, int stage, List<Peer> ranks, ActorRef<PipelineStage.Command> ref) implements StageEvent {
        public Formed {
            ranks = List.copyOf(ranks);
        }
    }

    /** All ranks know their peers and the next stage: steps may come. */
    record Ready(Epoch epoch, int stage) implements StageEvent {}

    /**
     * The stage cannot go on in this epoch.
     *
     * @param rank who was lost, or −1 when the stage could not be formed
     * @param reason for people: which node, what it hosted, what happened
     */
    record Lost(Epoch epoch, int stage, int rank, LossCause cause, String reason) implements StageEvent {}
}
