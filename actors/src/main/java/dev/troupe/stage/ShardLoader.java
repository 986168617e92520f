package dev.troupe.stage;

import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import org.jspecify.annotations.Nullable;

/** Where a shard gets its share of a model from: the node's weights, and a cache of its own. */
@FunctionalInterface
public interface ShardLoader {
    /**
     * Makes what rank {@code id} of {@code plan} computes with. May block for as long as reading weights takes: it runs
     * on a thread for blocking work, not on the shard's. What it returns is used by the shard's thread alone, which
     * closes it.
     *
     * @throws Exception if the share cannot be loaded; its message tells people which model, what is wrong with it and
     *     what to do
     */
    ShardCompute load(ShardId id, ReplicaPlan plan) throws Exception;

    /**
     * What the tokens of {@code plan}'s model stand for, so that ranks of its last stage can follow guides; null if the model
     * has no tokenizer, or nothing that ends a text. May block as {@link #load} does; shared by many threads.
     *
     * @throws Exception if there is a tokenizer that cannot be read
     */
    default @Nullable TokenTable tokens(ReplicaPlan plan) throws Exception {
        return null;
    }
}
