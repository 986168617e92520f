package dev.troupe.plan;

/**
 * What a device of a node can hold and do.
 *
 * @param name its place in slots, for example {@code cpu0} or {@code cuda1}
 * @param cores that compute; 0 for a GPU
 * @param memoryBytes for weights, KV cache and workspace, in bytes; 0 where it is not known
 */
public record DeviceProfile(String name, int cores, long memoryBytes) {
    public DeviceProfile {
        if (cores < 0 || memoryBytes < 0) {
            throw new IllegalArgumentException(
                    "device %s with cores=%d, memoryBytes=%d".formatted(name, cores, memoryBytes));
        }
    }

    /** Whether it is a GPU, and so much faster than any cores. */
    public boolean isGpu() {
        return cores == 0;
    }
}
