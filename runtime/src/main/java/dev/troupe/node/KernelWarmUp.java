package dev.troupe.node;

import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.WarmUp;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the JIT compile the kernels beside the loading of weights, so that the first tokens are not computed by cold code. What
 * is compiled stays so, hence once in a JVM for every type of weights and cache.
 */
final class KernelWarmUp {
    private static final Duration BUDGET = Duration.ofSeconds(2);
    private static final Logger LOG = LoggerFactory.getLogger(KernelWarmUp.class);
    private static final Set<Types> STARTED = ConcurrentHashMap.newKeySet();

    private record Types(String kernels, DType weights, KvType cache) {}

    private KernelWarmUp() {}

    /** Whether kernels like those of {@code provider} are or were warmed up for a type of cache. */
    static boolean isStarted(KernelProvider provider, KvType cache) {
        return STARTED.stream().anyMatch(types -> types.kernels().equals(provider.reason()) && types.cache() == cache);
    }

    /**
     * Starts the warm-up on a thread of its own; nobody needs to wait for its end. A GPU needs none.
     *
     * @param weights types of the model's matrices, the most important first
     * @return false if it was started before for all of them, or is not needed
     */
    static boolean start(KernelProvider provider, List<DType> weights, KvType cache) {
        if (!provider.memory().isHost()) {
            return false;
        }
        List<DType> cold = weights.stream()
                .filter(type -> STARTED.add(new Types(provider.reason(), type, cache)))
                .toList();
        if (cold.isEmpty()) {
            return false;
        }
        Thread.ofPlatform().daemon().name("kernel-warm-up").start(() -> {
            try (Kernels kernels = provider.create()) {
                cold.forEach(type -> WarmUp.run(kernels, type, cache, BUDGET));
            } catch (RuntimeException | OutOfMemoryError e) {
                LOG.warn("kernels start cold: the warm-up for {} weights has failed", cold, e);
            }
        });
        return true;
    }
}
