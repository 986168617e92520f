package dev.troupe.cluster.identity;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;

/** How the sharded entities of a replica are called: {@code model/replica/epoch/stage/rank@slot}. */
public final class EntityIds {
    private EntityIds() {}

    /** A replica, for example {@code llama/0}; ballots are about one of these. */
    public static String replica(String model, int replica) {
        return model + "/" + replica;
    }

    /** A rank of a stage, for example {@code llama/0/e3.1f/s1/r0@127.0.0.1:2551#9c/cpu0}, on the slot of the plan. */
    public static String shard(ShardId id, ReplicaPlan plan) {
        String slot = plan.slots().get(id.stage()).get(id.rank());
        return "%s/%s/s%d/r%d@%s"
                .formatted(replica(plan.model(), plan.replica()), id.epoch(), id.stage(), id.rank(), slot);
    }

    /** A pipeline stage, for example {@code llama/0/e3.1f/s1@127.0.0.1:2551#9c/control}. */
    public static String stage(String replica, Epoch epoch, int stage, Slot control) {
        return control.entity("%s/%s/s%d".formatted(replica, epoch, stage));
    }

    /** The scheduler of a replica, for example {@code llama/0@127.0.0.1:2551#9c/control}. */
    public static String scheduler(String replica, Slot control) {
        return control.entity(replica);
    }
}
