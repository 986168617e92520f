package dev.troupe.node;

import dev.troupe.config.ConfigurationException;
import dev.troupe.config.DeviceConfig;
import dev.troupe.kernel.CpuProvider;
import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.Devices;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.vector.lanes.VectorWidth;
import java.lang.management.ManagementFactory;
import java.util.List;

/** The devices that a process is configured with. One JVM has one width of vectors, settled when the first kernels load. */
final class DeviceKernels {
    private DeviceKernels() {}

    /**
     * The devices that {@code device} asks for; the caller closes them.
     *
     * @param most devices that are of use
     * @param numerics of their kernels
     * @throws ConfigurationException if one of them will not do here, or the JVM has another width of vectors already
     */
    static Devices of(DeviceConfig device, int most, Numerics numerics) {
        try {
            return Devices.open(kinds(device), () -> cpu(device), most, numerics, device.graphs());
        } catch (IllegalStateException | IllegalArgumentException e) {
            throw new ConfigurationException("troupe.device: " + e.getMessage());
        }
    }

    /** Who asks for certain kernels of the CPU does not want a GPU that happens to be there. */
    private static List<DeviceChoice> kinds(DeviceConfig device) {
        boolean open = device.kinds().equals(List.of(new DeviceChoice.Auto()));
        return open && device.kernels() != KernelProvider.Choice.AUTO
                ? List.of(new DeviceChoice.Cpu())
                : device.kinds();
    }

    private static CpuProvider cpu(DeviceConfig device) {
        if (device.vectorBits().isEmpty()) {
            return CpuProvider.choose(device.kernels(), device.threads()).on(device.cores());
        }
        int wanted = device.vectorBits().getAsInt();
        int forced = VectorWidth.forced();
        if (forced != 0 && forced != wanted) {
            throw conflict(
                    wanted, "-D%s=%d stands on the command line of this JVM".formatted(VectorWidth.PROPERTY, forced));
        }
        System.setProperty(VectorWidth.PROPERTY, Integer.toString(wanted));
        CpuProvider kernels = CpuProvider.choose(device.kernels(), device.threads());
        int loaded = kernels.vectorBits();
        if (loaded != 0 && loaded != wanted) {
            System.clearProperty(VectorWidth.PROPERTY);
            throw conflict(wanted, "this JVM has loaded kernels with %d bits before".formatted(loaded));
        }
        return kernels.on(device.cores());
    }

    private static ConfigurationException conflict(int wanted, String why) {
        return new ConfigurationException(
                "troupe.device.vector-bits = %d does not work: %s; one JVM has one width".formatted(wanted, why));
    }

    /** Bytes that ranks on one of the devices may take for weights and KV cache, on a GPU for workspace too. */
    static long memoryBytes(DeviceConfig device, KernelProvider provider) {
        return device.memory()
                .orElseGet(() ->
                        provider.freeBytes().isPresent() ? provider.freeBytes().getAsLong() / 10 * 9 : hostBytes());
    }

    /** Four fifths of what this process may have: the rest is for the Java heap, files that are read, and others. */
    private static long hostBytes() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
                ? system.getTotalMemorySize() / 5 * 4
                : Long.MAX_VALUE;
    }
}
