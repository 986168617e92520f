package dev.troupe.model.checkpoint;

import dev.troupe.model.RopeConfig;
import dev.troupe.weights.WeightFormatException;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeSet;

/**
 * The rotary embedding of a {@code config.json}: {@code rope_theta} beside {@code rope_scaling}, or both in
 * {@code rope_parameters} as newer files have it.
 */
final class RopeConfigReader {
    private static final double DEFAULT_THETA = 10_000;
    private static final String SCALINGS = "default, linear, llama3, yarn";

    private RopeConfigReader() {}

    static RopeConfig read(ConfigKeys config, int maxPositions) throws WeightFormatException {
        Optional<ConfigKeys> parameters = config.object("rope_parameters");
        Optional<ConfigKeys> scaling = config.object("rope_scaling");
        if (parameters.isPresent() && scaling.isPresent()) {
            throw config.wrong("rope_scaling", "null beside rope_parameters");
        }
        double theta = config.positive("rope_theta").orElse(DEFAULT_THETA);
        Optional<ConfigKeys> keys = parameters.or(() -> scaling);
        if (keys.isEmpty()) {
            return new RopeConfig(theta, new RopeConfig.None());
        }
        return new RopeConfig(keys.get().positive("rope_theta").orElse(theta), readScaling(keys.get(), maxPositions));
    }

    private static RopeConfig.Scaling readScaling(ConfigKeys keys, int maxPositions) throws WeightFormatException {
        Optional<String> type = keys.text("rope_type");
        Optional<String> oldName = keys.text("type");
        if (type.isPresent() && oldName.isPresent() && !type.equals(oldName)) {
            throw keys.wrong("type", "the same as rope_type = " + type.get());
        }
        OptionalDouble partial = keys.number("partial_rotary_factor");
        if (partial.isPresent() && partial.getAsDouble() != 1) {
            throw keys.wrong("partial_rotary_factor", "1: partial rotation is not supported");
        }
        return switch (type.or(() -> oldName).orElse("default")) {
            case "default" -> {
                requireOnly(keys, Set.of());
                yield new RopeConfig.None();
            }
            case "linear" -> {
                requireOnly(keys, Set.of("factor"));
                yield new RopeConfig.Linear(keys.requirePositive("factor"));
            }
            case "llama3" -> readLlama3(keys);
            case "yarn" -> readYarn(keys, maxPositions);
            default -> throw keys.wrong(type.isPresent() ? "rope_type" : "type", "one of " + SCALINGS);
        };
    }

    private static RopeConfig.Llama3 readLlama3(ConfigKeys keys) throws WeightFormatException {
        requireOnly(keys, Set.of("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"));
        RopeConfig.Llama3 scaling = new RopeConfig.Llama3(
                keys.requirePositive("factor"),
                keys.requirePositive("low_freq_factor"),
                keys.requirePositive("high_freq_factor"),
                keys.requirePositive("original_max_position_embeddings"));
        if (scaling.highFrequencyFactor() <= scaling.lowFrequencyFactor()) {
            throw keys.wrong("high_freq_factor", "more than low_freq_factor = " + scaling.lowFrequencyFactor());
        }
        return scaling;
    }

    private static RopeConfig.Yarn readYarn(ConfigKeys keys, int maxPositions) throws WeightFormatException {
        requireOnly(
                keys,
                Set.of(
                        "factor",
                        "original_max_position_embeddings",
                        "beta_fast",
                        "beta_slow",
                        "attention_factor",
                        "mscale",
                        "mscale_all_dim",
                        "truncate"));
        double factor = keys.requirePositive("factor");
        return new RopeConfig.Yarn(
                factor,
                keys.positive("original_max_position_embeddings").orElse(maxPositions),
                keys.positive("beta_fast").orElse(32),
                keys.positive("beta_slow").orElse(1),
                attentionFactor(keys, factor),
                keys.flag("truncate", true));
    }

    /** As given, else the ratio of DeepSeek's two mscales, else 0 for the paper's. */
    private static double attentionFactor(ConfigKeys keys, double factor) throws WeightFormatException {
        OptionalDouble given = keys.positive("attention_factor");
        double mscale = keys.number("mscale").orElse(0);
        double allDimensions = keys.number("mscale_all_dim").orElse(0);
        if (given.isEmpty() && mscale != 0 && allDimensions != 0) {
            return RopeConfig.Yarn.magnitude(factor, mscale) / RopeConfig.Yarn.magnitude(factor, allDimensions);
        }
        return given.orElse(0);
    }

    private static void requireOnly(ConfigKeys keys, Set<String> own) throws WeightFormatException {
        Set<String> known = new TreeSet<>(own);
        known.addAll(Set.of("rope_theta", "rope_type", "type", "partial_rotary_factor"));
        keys.requireOnly(known);
    }
}
