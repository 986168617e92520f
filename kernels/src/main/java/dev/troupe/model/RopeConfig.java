package dev.troupe.model;

import java.util.List;

/**
 * Rotary position embedding (Su et al. 2021, "RoFormer") in the half-rotation layout, and how its frequencies are
 * scaled for long contexts.
 *
 * @param theta base of the frequencies
 * @param scaling what is done to them
 */
public record RopeConfig(double theta, Scaling scaling) {

    /** A rule that changes the frequencies. */
    public sealed interface Scaling {}

    /** Frequencies as they are. */
    public record None() implements Scaling {}

    /** All frequencies divided by {@code factor} (position interpolation). */
    public record Linear(double factor) implements Scaling {}

    /** Llama 3.1: low frequencies divided, high ones kept, a smooth band between. */
    public record Llama3(
            double factor, double lowFrequencyFactor, double highFrequencyFactor, double originalMaxPositions)
            implements Scaling {}

    /**
     * Every frequency divided by a factor of its own, as a GGUF file of Llama 3.1 has them in {@code rope_freqs.weight}.
     *
     * @param factors one for each pair of a head, above 0
     */
    public record Factors(List<Float> factors) implements Scaling {
        public Factors {
            factors = List.copyOf(factors);
        }

        @Override
        public String toString() {
            return factors.isEmpty()
                    ? "Factors[]"
                    : "Factors[%d, %s to %s]".formatted(factors.size(), factors.getFirst(), factors.getLast());
        }
    }

    /**
     * YaRN (Peng et al. 2023).
     *
     * @param attentionFactor multiplies cosine and sine; 0 stands for the paper's {@code 0.1 ln(factor) + 1}
     * @param truncate whether the correction range is rounded to whole dimensions
     */
    public record Yarn(
            double factor,
            double originalMaxPositions,
            double betaFast,
            double betaSlow,
            double attentionFactor,
            boolean truncate)
            implements Scaling {

        /** Growth of cosine and sine: {@code 0.1 · mscale · ln(factor) + 1}, or 1 for a factor up to 1. */
        public static double magnitude(double factor, double mscale) {
            return factor <= 1 ? 1 : 0.1 * mscale * StrictMath.log(factor) + 1;
        }
    }
}
