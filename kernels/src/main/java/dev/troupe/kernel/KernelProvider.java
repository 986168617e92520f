package dev.troupe.kernel;

import dev.troupe.tensor.DeviceMemory;
import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One device of this process and the kernels that run there, with one sentence that says what was chosen and why nothing better.
 * Every shard gets kernels of its own from {@link #create}. Thread-safe.
 */
public interface KernelProvider extends AutoCloseable {
    /** What a user may ask for, where the device is the CPU. */
    public enum Choice {
        /** The best that runs here. */
        AUTO,
        /** Native products beside the Vector API, or an error that says why not. */
        NATIVE,
        /** The Vector API without native products, or an error that says why not. */
        VECTOR,
        /** Plain loops on one thread. */
        REFERENCE;

        /**
         * The choice of this name, in any case.
         *
         * @throws IllegalArgumentException with the names that work
         */
        public static Choice of(String name) {
            for (Choice choice : values()) {
                if (choice.label().equals(name.strip().toLowerCase(Locale.ROOT))) {
                    return choice;
                }
            }
            throw new IllegalArgumentException("kernels = %s does not work; these do: %s"
                    .formatted(name, Arrays.stream(values()).map(Choice::label).collect(Collectors.joining(", "))));
        }

        /** Lower-case name as users write it. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Its place in slots: {@code cpu0}, {@code cuda1}. */
    String device();

    /** One sentence for people. */
    String reason();

    /** CPU threads of one shard, its own included. */
    int threads();

    /** Bits of a vector; 0 where plain loops or a GPU compute. */
    int vectorBits();

    /** Where weights for its kernels are loaded to. */
    DeviceMemory memory();

    /** Bytes of the device's own memory that are free now; empty where it computes in the host's. */
    default OptionalLong freeBytes() {
        return OptionalLong.empty();
    }

    /** New kernels; the caller closes them, after all memory that they have used. */
    Kernels create();

    /** Why the device is of no use to this process any more, or null while it works. May take a while. */
    default @Nullable String failure() {
        return null;
    }

    /** Ends its use, once the last kernels are closed too. */
    @Override
    void close();
}
