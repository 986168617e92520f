package dev.troupe.cluster.guardian;

import dev.troupe.cluster.identity.EntityIds;
import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardLoader;
import org.jspecify.annotations.Nullable;

/** A loader that gives nothing to a shard whose epoch is not the one that this node has promised last. */
public final class PromisedLoader implements ShardLoader {
    private final Promises promises;
    private final ShardLoader loader;

    /**
     * @param promises of this node
     * @param loader for those who may
     */
    public PromisedLoader(Promises promises, ShardLoader loader) {
        this.promises = promises;
        this.loader = loader;
    }

    @Override
    public ShardCompute load(ShardId id, ReplicaPlan plan) throws Exception {
        requirePromised(id, plan);
        ShardCompute compute = loader.load(id, plan);
        try {
            requirePromised(id, plan);
        } catch (IllegalStateException e) {
            compute.close();
            throw e;
        }
        return compute;
    }

    @Override
    public @Nullable TokenTable tokens(ReplicaPlan plan) throws Exception {
        return loader.tokens(plan);
    }

    private void requirePromised(ShardId id, ReplicaPlan plan) {
        String replica = EntityIds.replica(plan.model(), plan.replica());
        Epoch highest = promises.highest(replica);
        if (!highest.equals(id.epoch())) {
            throw new IllegalStateException("stage %d rank %d of %s in epoch %s may not load: this node has promised %s"
                    .formatted(id.stage(), id.rank(), replica, id.epoch(), highest));
        }
    }
}
