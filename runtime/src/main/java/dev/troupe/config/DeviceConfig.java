package dev.troupe.config;

import dev.troupe.kernel.KernelProvider;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Where this node's ranks run ({@code troupe.device}).
 *
 * @param kind which device
 * @param threads CPU threads of every rank
 * @param cores where these threads stay, as the operating system counts; empty to leave the choice to it
 * @param kernels which kernels
 * @param vectorBits width of a vector, or empty for what the machine prefers
 * @param memoryBytes for weights and KV cache of all ranks, in bytes
 * @param weightCacheBytes packed weights kept for the next epoch, in bytes
 */
public record DeviceConfig(
        Kind kind,
        int threads,
        List<Integer> cores,
        KernelProvider.Choice kernels,
        OptionalInt vectorBits,
        long memoryBytes,
        long weightCacheBytes) {
    private static final Set<Integer> WIDTHS = Set.of(128, 256, 512);

    /** Kinds of devices. */
    public enum Kind {
        /** The best that is there. */
        AUTO,
        /** CPU cores. */
        CPU
    }

    public DeviceConfig {
        Check.atLeast("device.threads", threads, 1);
        cores = List.copyOf(cores);
        Check.holds(cores.stream().allMatch(core -> core >= 0), "device.cores", cores, "numbers from 0");
        Check.atLeast("device.memory", memoryBytes, 1);
        Check.atLeast("device.weight-cache", weightCacheBytes, 0);
        if (vectorBits.isPresent()) {
            int bits = vectorBits.getAsInt();
            Check.holds(WIDTHS.contains(bits), "device.vector-bits", bits, "128, 256, 512 or auto");
        }
    }
}
