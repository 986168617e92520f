package dev.troupe.kernel;

import dev.troupe.kernel.natives.NativeCheck;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kernel.vector.WorkerPool;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether native products may be used: they are there and have given the bits of the plain loops, which is tried once in a JVM. */
final class TrustedNatives {
    private static final Logger LOG = LoggerFactory.getLogger(TrustedNatives.class);

    private TrustedNatives() {}

    /** Runs the check when it is first asked for. */
    private static final class Once {
        static final @Nullable String REFUSAL = check();
    }

    /** Why they may not be used, as the end of a sentence, or null. */
    static @Nullable String refusal() {
        return Once.REFUSAL;
    }

    private static @Nullable String check() {
        String refusal = NativeProducts.refusal();
        if (refusal != null) {
            return refusal;
        }
        try (Kernels candidate = new VectorKernels(new WorkerPool(1), true)) {
            return checked(candidate);
        }
    }

    /** Compares kernels with the plain loops and warns of a difference. */
    static @Nullable String checked(Kernels candidate) {
        try (Kernels expected = new ReferenceKernels()) {
            String difference = NativeCheck.difference(expected, candidate);
            if (difference == null) {
                return null;
            }
            LOG.warn("native kernels are not used, because their check has found other bits: {}", difference);
            return "their check has found other bits: " + difference;
        }
    }
}
