package dev.troupe.cluster.watch;

import dev.troupe.wire.lane.LaneAddress;
import dev.troupe.wire.lane.LaneListener;
import org.apache.pekko.actor.typed.ActorSystem;

/**
 * Tells the node's watch when its tensor lane loses a peer. May be made before the watch has started; until then there is
 * nobody whom a loss could concern.
 */
public final class LaneLosses implements LaneListener {
    private final ActorSystem<?> system;

    /**
     * @param system whose lane it is
     */
    public LaneLosses(ActorSystem<?> system) {
        this.system = system;
    }

    @Override
    public void lost(LaneAddress peer, long incarnation, String reason) {
        // Found anew every time: a reference made before the watch starts would lead nowhere for ever.
        NodeWatch.local(system).tell(new NodeWatch.LaneLost(peer.toString(), reason));
    }
}
