package dev.troupe.plan;

import dev.troupe.model.Partition;

/** What a rank keeps in its device's memory. */
@FunctionalInterface
public interface Footprint {
    /** Not known: everything fits. */
    Footprint UNKNOWN = (partition, stage, rank, device) -> 0;

    /** Weights and KV cache of one rank of {@code partition}, and its workspace where {@code device} is a GPU, in bytes. */
    long bytes(Partition partition, int stage, int rank, DeviceProfile device);
}
