package dev.troupe.stage;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/** A rank's messages on their way to the peers that it learns at its join. */
final class PeerOutput implements StepOutput {
    private final TensorRoad road;
    private final Logger log;
    private TensorShard.@Nullable Join join;
    private boolean hasRefused;

    PeerOutput(TensorRoad road, Logger log) {
        this.road = road;
        this.log = log;
    }

    void join(TensorShard.Join peers) {
        join = peers;
    }

    private TensorShard.Join peers() {
        if (join == null) {
            throw new IllegalStateException("a rank that has not joined has nobody to send to");
        }
        return join;
    }

    @Override
    public void toPeer(int rank, TensorMessage message) {
        road.send(peers().ranks().get(rank), message);
    }

    @Override
    public void toNextStage(int rank, HandOff handOff) {
        road.send(peers().nextStage().get(rank), handOff);
    }

    @Override
    public void result(StepResult result) {
        peers().results().tell(result);
    }

    /** The first refusal is a warning, the counts tell of the others. */
    @Override
    public void refused(String reason) {
        if (hasRefused) {
            log.debug("refused a message: {}", reason);
        } else {
            hasRefused = true;
            log.warn("refused a message: {}", reason);
        }
    }
}
