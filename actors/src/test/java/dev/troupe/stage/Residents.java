package dev.troupe.stage;

import org.apache.pekko.actor.typed.ActorRef;

/** Puts shards into a roster for tests of those who read it. */
public final class Residents {
    private Residents() {}

    /** Adds a shard whose last published moment is given. */
    public static ShardRoster.Resident add(
            ShardRoster roster, ShardId id, String slot, ActorRef<TensorShard.Command> ref, ShardProgress.Moment last) {
        ShardProgress progress = new ShardProgress(id, last::nanos);
        progress.publish(last.activity(), last.step(), last.segment());
        ShardRoster.Resident resident = new ShardRoster.Resident(slot, progress, ref);
        roster.add(resident);
        return resident;
    }
}
