package dev.troupe.kernel;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** How long operations have taken on the threads that called them, all kernels of a {@link KernelProvider} together. */
public final class KernelTimes {
    /** What is told apart. */
    public enum Operation {
        /** Every matrix product, with the rounding of its activations. */
        PRODUCTS,
        /** Attention over the cache. */
        ATTENTION,
        /** Embedding, norms, rotation, writes to the cache, activation functions, additions. */
        ROWS,
        /** Searches in logits, and softmax. */
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

    void add(Operation operation, long nanoseconds) {
        // the map is complete and never changes
        LongAdder adder = nanos.get(operation);
        if (adder != null) {
            adder.add(nanoseconds);
        }
    }

    /** Nanoseconds until now, of every operation. */
    public Map<Operation, Long> now() {
        Map<Operation, Long> now = new EnumMap<>(Operation.class);
        nanos.forEach((operation, adder) -> now.put(operation, adder.sum()));
        return now;
    }
}
