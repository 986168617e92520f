package dev.troupe.stage;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import java.util.List;

/**
 * Everything a rank must know to load its share of one replica.
 *
 * @param model id under which every node has registered the checkpoint; never a path
 * @param replica 0-based
 * @param fingerprint what the checkpoint must hash to; empty where it is not checked
 * @param numerics numerics id; a node with another one may not take part
 * @param partition who owns what
 * @param slots the slot of every rank, by stage and rank
 * @param kvType cache type
 * @param kvBlockSize tokens in a KV block
 * @param kvBlocks KV blocks of every rank
 */
public record ReplicaPlan(
        String model,
        int replica,
        String fingerprint,
        String numerics,
        Partition partition,
        List<List<String>> slots,
        KvType kvType,
        int kvBlockSize,
        int kvBlocks) {
    public ReplicaPlan {
        slots = slots.stream().map(List::copyOf).toList();
    }
}
