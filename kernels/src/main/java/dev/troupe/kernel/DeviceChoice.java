package dev.troupe.kernel;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The device that a user wants kernels to run on. */
public sealed interface DeviceChoice {
    /** All GPUs that will do, else the processor's cores. */
    record Auto() implements DeviceChoice {
        @Override
        public String toString() {
            return "auto";
        }
    }

    /** The processor's cores. */
    record Cpu() implements DeviceChoice {
        @Override
        public String toString() {
            return "cpu";
        }
    }

    /**
     * A GPU, or an error that says why it will not do.
     *
     * @param ordinal its number as the driver counts, from 0
     */
    record Cuda(int ordinal) implements DeviceChoice {
        public Cuda {
            if (ordinal < 0) {
                throw new IllegalArgumentException("ordinal = %d, expected at least 0".formatted(ordinal));
            }
        }

        @Override
        public String toString() {
            return "cuda:" + ordinal;
        }
    }

    /**
     * The choice that is written so, in any case.
     *
     * @throws IllegalArgumentException with what works
     */
    static DeviceChoice of(String text) {
        String plain = text.strip().toLowerCase(Locale.ROOT);
        Matcher cuda = Pattern.compile("cuda(?::([0-9]{1,4}))?").matcher(plain);
        if (cuda.matches()) {
            return new Cuda(cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1)));
        }
        return switch (plain) {
            case "auto" -> new Auto();
            case "cpu" -> new Cpu();
            default ->
                throw new IllegalArgumentException(
                        "device = %s does not work; these do: auto, cpu, cuda:0, cuda:1 and so on".formatted(text));
        };
    }
}
