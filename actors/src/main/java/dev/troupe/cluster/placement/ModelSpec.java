package dev.troupe.cluster.placement;

import dev.troupe.cluster.guardian.ModelCard;
import dev.troupe.cluster.guardian.Terms;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import dev.troupe.plan.Footprint;
import org.jspecify.annotations.Nullable;

/**
 * What a placer must know of a model to place replicas of it.
 *
 * @param card id, fingerprint and tensor digests as this node has them: what others are measured by
 * @param config shape
 * @param numerics numerics id that all its ranks must have
 * @param partition an uneven split to use, or null for even ones
 * @param kvBlockSize tokens in a KV block
 * @param kvBlocks KV blocks of every rank
 * @param footprint what its ranks keep in memory
 */
public record ModelSpec(
        ModelCard card,
        ModelConfig config,
        String numerics,
        @Nullable Partition partition,
        KvType kvType,
        int kvBlockSize,
        int kvBlocks,
        Footprint footprint) {
    /** Registered id. */
    public String id() {
        return card.registered().id();
    }

    Terms terms() {
        return new Terms(id(), card.registered().fingerprint(), numerics);
    }
}
