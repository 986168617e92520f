package dev.troupe.model.decoder;

import dev.troupe.kernel.RopeTable;
import dev.troupe.model.RopeConfig;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Computes {@link RopeTable}s: in double with StrictMath, rounded once (NUMERICS rule 7), so that every machine gets the
 * same bits.
 */
public final class RopeTables {
    private RopeTables() {}

    /**
     * The table of positions 0 to {@code positions} − 1.
     *
     * @param headDim elements of a head, even
     * @param memory where it lies
     * @param arena owns the table's memory, {@code positions · headDim · 4} bytes
     */
    static RopeTable build(RopeConfig rope, int headDim, int positions, DeviceMemory memory, Arena arena) {
        RopeTable table;
        if (memory.isHost()) {
            table = build(rope, headDim, positions, arena);
        } else {
            try (Arena scratch = Arena.ofConfined()) {
                RopeTable host = build(rope, headDim, positions, scratch);
                table = new RopeTable(memory.place(arena, host.cosines()), memory.place(arena, host.sines()));
            }
        }
        return table;
    }

    /** The same in the memory of the host. */
    public static RopeTable build(RopeConfig rope, int headDim, int positions, Arena arena) {
        double[] frequencies = frequencies(rope, headDim);
        double scale = magnitude(rope.scaling());
        Tensor cosines = Tensor.floats(arena, positions, frequencies.length);
        Tensor sines = Tensor.floats(arena, positions, frequencies.length);
        long at = 0;
        for (int position = 0; position < positions; position++) {
            for (double frequency : frequencies) {
                double angle = position * frequency;
                cosines.memory().setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) (StrictMath.cos(angle) * scale));
                sines.memory().setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) (StrictMath.sin(angle) * scale));
                at++;
            }
        }
        return new RopeTable(cosines, sines);
    }

    /** Radians per position for each of the {@code headDim / 2} pairs. */
    static double[] frequencies(RopeConfig rope, int headDim) {
        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = 1 / StrictMath.pow(rope.theta(), 2.0 * i / headDim);
        }
        switch (rope.scaling()) {
            case RopeConfig.None() -> {}
            case RopeConfig.Linear(double factor) -> {
                for (int i = 0; i < frequencies.length; i++) {
                    frequencies[i] /= factor;
                }
            }
            case RopeConfig.Factors(List<Float> factors) -> {
                for (int i = 0; i < frequencies.length; i++) {
                    frequencies[i] /= factors.get(i);
                }
            }
            case RopeConfig.Llama3 llama3 -> scale(frequencies, llama3);
            case RopeConfig.Yarn yarn -> scale(frequencies, yarn, rope.theta(), headDim);
        }
        return frequencies;
    }

    private static void scale(double[] frequencies, RopeConfig.Llama3 rule) {
        for (int i = 0; i < frequencies.length; i++) {
            double turns = rule.originalMaxPositions() * frequencies[i] / (2 * StrictMath.PI);
            double kept =
                    (turns - rule.lowFrequencyFactor()) / (rule.highFrequencyFactor() - rule.lowFrequencyFactor());
            frequencies[i] = mix(frequencies[i], rule.factor(), kept);
        }
    }

    private static void scale(double[] frequencies, RopeConfig.Yarn rule, double theta, int headDim) {
        double low = correctionDimension(rule.betaFast(), rule.originalMaxPositions(), theta, headDim);
        double high = correctionDimension(rule.betaSlow(), rule.originalMaxPositions(), theta, headDim);
        if (rule.truncate()) {
            low = StrictMath.floor(low);
            high = StrictMath.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, headDim - 1);
        if (low == high) {
            high += 0.001;
        }
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = mix(frequencies[i], rule.factor(), 1 - (i - low) / (high - low));
        }
    }

    /** The dimension whose pair turns {@code rotations} times within the original context. */
    private static double correctionDimension(double rotations, double positions, double theta, int headDim) {
        return headDim * StrictMath.log(positions / (rotations * 2 * StrictMath.PI)) / (2 * StrictMath.log(theta));
    }

    /** {@code kept} (clamped to 0 to 1) of the frequency as it is, the rest of it divided by {@code factor}. */
    private static double mix(double frequency, double factor, double kept) {
        double share = Math.clamp(kept, 0.0, 1.0);
        return (1 - share) * (frequency / factor) + share * frequency;
    }

    private static double magnitude(RopeConfig.Scaling scaling) {
        if (!(scaling instanceof RopeConfig.Yarn yarn)) {
            return 1;
        }
        return yarn.attentionFactor() != 0 ? yarn.attentionFactor() : RopeConfig.Yarn.magnitude(yarn.factor(), 1);
    }
}
