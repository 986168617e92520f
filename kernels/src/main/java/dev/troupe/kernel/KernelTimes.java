package dev.troupe.kernel;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;

/** How long operations have taken on the threads that called them, all kernels that are timed together. */
public final class KernelTimes {
    /** What is told apart. */
    public enum Operation {
        /** Every matrix product, with the rounding of its activations. */
        PRODUCTS,
        /** Attention over the cache. */
        ATTENTION,
        /** Embedding, norms, rotation, writes to the cache, activation functions, additions. */
        ROWS,
        /** Searches in rows, and softmax. */
        LOGITS;

        /** Lower-case name for people. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Map<Operation, LongAdder> nanos = new EnumMap<>(Operation.class);

    /** Nothing has taken any time. */
    public KernelTimes() {
        for (Operation operation : Operation.values()) {
            nanos.put(operation, new LongAdder());
        }
    }

    /** The same kernels, which add here how long their operations take: two looks at the clock for each. */
    public Kernels timing(Kernels kernels) {
        return new TimedKernels(kernels, this);
    }

    void add(Operation operation, long nanoseconds) {
        Objects.requireNonNull(nanos.get(operation)).add(nanoseconds);
    }

    /** Nanoseconds until now, of every operation. */
    public Map<Operation, Long> now() {
        Map<Operation, Long> now = new EnumMap<>(Operation.class);
        nanos.forEach((operation, adder) -> now.put(operation, adder.sum()));
        return now;
    }
}
