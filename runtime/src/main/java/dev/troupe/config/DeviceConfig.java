package dev.troupe.config;

import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.KernelProvider;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Where this node's ranks run ({@code troupe.device}).
 *
 * @param kinds which devices, each a slot of the node
 * @param threads CPU threads of every rank that runs on the CPU
 * @param cores where these threads stay, as the operating system counts; empty to leave the choice to it
 * @param kernels which kernels of the CPU
 * @param vectorBits width of a vector, or empty for what the machine prefers
 * @param graphs whether GPUs replay steps that decode few tokens
 * @param memory of each device for weights and KV cache of all ranks, in bytes; empty for most of what there is
 * @param weightCacheBytes packed weights kept for the next epoch, in bytes
 */
public record DeviceConfig(
        List<DeviceChoice> kinds,
        int threads,
        List<Integer> cores,
        KernelProvider.Choice kernels,
        OptionalInt vectorBits,
        boolean graphs,
        OptionalLong memory,
        long weightCacheBytes) {
    private static final Set<Integer> WIDTHS = Set.of(128, 256, 512);

    public DeviceConfig {
        kinds = List.copyOf(kinds);
        Check.holds(!kinds.isEmpty(), "device.kind", kinds, "auto, cpu, cuda:0 or a list of devices");
        Check.atLeast("device.threads", threads, 1);
        cores = List.copyOf(cores);
        Check.holds(cores.stream().allMatch(core -> core >= 0), "device.cores", cores, "numbers from 0");
        memory.ifPresent(bytes -> Check.atLeast("device.memory", bytes, 1));
        Check.atLeast("device.weight-cache", weightCacheBytes, 0);
        if (vectorBits.isPresent()) {
            int bits = vectorBits.getAsInt();
            Check.holds(WIDTHS.contains(bits), "device.vector-bits", bits, "128, 256, 512 or auto");
        }
    }

    /** The same for a node that computes nothing, and so takes no GPU. */
    public DeviceConfig onCpu() {
        return new DeviceConfig(
                List.of(new DeviceChoice.Cpu()), threads, cores, kernels, vectorBits, graphs, memory, weightCacheBytes);
    }
}
