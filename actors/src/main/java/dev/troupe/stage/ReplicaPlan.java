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
        List<Integer> ranks =
                partition.stages().stream().map(stage -> stage.ranks().size()).toList();
        List<Integer> places = slots.stream().map(List::size).toList();
        if (!places.equals(ranks)) {
            throw new IllegalArgumentException(
                    "slots by stage = %s, expected one for every rank: %s".formatted(places, ranks));
        }
        if (kvBlockSize < 1 || kvBlocks < 1) {
            throw new IllegalArgumentException(
                    "kvBlockSize=%d, kvBlocks=%d, expected at least 1 of each".formatted(kvBlockSize, kvBlocks));
        }
    }

    /** What a rank holds, for people: {@code layers 4 to 7, KV groups 0 to 1}. */
    public String share(int stage, int rank) {
        Partition.Stage layers = partition.stages().get(stage);
        Partition.Rank groups = layers.ranks().get(rank);
        return "layers %d to %d, KV groups %d to %d"
                .formatted(layers.fromLayer(), layers.toLayer() - 1, groups.fromGroup(), groups.toGroup() - 1);
    }

    /** A rank with its slot and its share, for people. */
    public String describe(int stage, int rank) {
        return "stage %d rank %d on %s (%s)"
                .formatted(stage, rank, slots.get(stage).get(rank), share(stage, rank));
    }
}
