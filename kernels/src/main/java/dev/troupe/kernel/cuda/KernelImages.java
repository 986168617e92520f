package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaModule;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/** The compiled kernels in the jar, one module for every file of {@code src/main/cuda}. */
final class KernelImages {
    private KernelImages() {}

    /**
     * Loads a module: what was compiled for exactly this device, or else the PTX, which the driver compiles.
     *
     * @param name of the source file, without its ending
     * @throws IllegalStateException if the build has no such file
     * @throws CudaException if the driver refuses the PTX
     */
    static CudaModule load(CudaDevice device, String name) {
        byte[] ready = read("%s.sm_%d.cubin".formatted(name, device.capability()));
        if (ready != null) {
            try {
                return device.load(ready);
            } catch (CudaException e) {
                // A driver older than the compiler may not know its format; it does know the PTX.
            }
        }
        byte[] ptx = read(name + ".ptx");
        if (ptx == null) {
            throw new IllegalStateException(
                    "this build has no /cuda/%s.ptx; src/main/cuda/build.sh makes it".formatted(name));
        }
        return device.load(ptx);
    }

    private static byte @Nullable [] read(String file) {
        try (InputStream in = KernelImages.class.getResourceAsStream("/cuda/" + file)) {
            return in == null ? null : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("/cuda/%s cannot be read".formatted(file), e);
        }
    }
}
