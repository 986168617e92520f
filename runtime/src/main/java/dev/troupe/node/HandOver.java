package dev.troupe.node;

import dev.troupe.cluster.ClusterNode;
import dev.troupe.cluster.identity.NodeRole;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.Done;
import org.apache.pekko.actor.Cancellable;
import org.apache.pekko.actor.typed.ActorSystem;

/** The first thing that happens when a node is told to end: others take over what it does, while it still does it. */
final class HandOver {
    private static final Duration WITHIN = Duration.ofSeconds(5);
    private static final Duration LOOK_EVERY = Duration.ofMillis(50);

    private HandOver() {}

    /** Tells the others; done when no rank is here any more, when it takes too long, or at once when there is nobody. */
    static CompletionStage<Done> of(ActorSystem<?> system, ClusterNode node) {
        if (node.live(NodeRole.CONTROL).stream().allMatch(slot -> slot.node().equals(node.self()))) {
            return CompletableFuture.completedFuture(Done.getInstance());
        }
        node.announceLeave(system);
        CompletableFuture<Done> handedOver = new CompletableFuture<>();
        long end = System.nanoTime() + WITHIN.toNanos();
        Cancellable looking = system.scheduler()
                .scheduleWithFixedDelay(
                        LOOK_EVERY,
                        LOOK_EVERY,
                        () -> {
                            if (!node.hosts() || System.nanoTime() - end > 0) {
                                handedOver.complete(Done.getInstance());
                            }
                        },
                        system.executionContext());
        return handedOver.whenComplete((_, _) -> looking.cancel());
    }
}
