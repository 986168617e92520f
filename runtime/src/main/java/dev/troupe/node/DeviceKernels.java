package dev.troupe.node;

import dev.troupe.config.ConfigurationException;
import dev.troupe.config.DeviceConfig;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.vector.lanes.VectorWidth;

/** The kernels that a device is configured with. One JVM has one width of vectors, settled when the first kernels load. */
final class DeviceKernels {
    private DeviceKernels() {}

    /**
     * The kernels that {@code device} asks for.
     *
     * @throws ConfigurationException if the JVM has another width of vectors already
     */
    static KernelProvider of(DeviceConfig device) {
        if (device.vectorBits().isEmpty()) {
            return KernelProvider.choose(device.kernels(), device.threads()).on(device.cores());
        }
        int wanted = device.vectorBits().getAsInt();
        int forced = VectorWidth.forced();
        if (forced != 0 && forced != wanted) {
            throw conflict(
                    wanted, "-D%s=%d stands on the command line of this JVM".formatted(VectorWidth.PROPERTY, forced));
        }
        System.setProperty(VectorWidth.PROPERTY, Integer.toString(wanted));
        KernelProvider kernels = KernelProvider.choose(device.kernels(), device.threads());
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
}
