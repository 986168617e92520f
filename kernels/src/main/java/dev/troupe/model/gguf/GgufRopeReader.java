package dev.troupe.model.gguf;

import dev.troupe.model.RopeConfig;
import dev.troupe.tensor.DType;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufParts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The rotary embedding of a GGUF file: keys {@code rope.*}, or the factors in {@code rope_freqs.weight}. */
final class GgufRopeReader {
    /** Tensor of factors that frequencies are divided by, one for each pair of a head. */
    static final String FACTORS = "rope_freqs.weight";

    private static final double DEFAULT_THETA = 10_000;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private GgufRopeReader() {}

    /** @throws WeightFormatException if what the file says is malformed, contradicts itself or is not supported */
    static RopeConfig read(GgufKeys keys, GgufParts parts, int headDim, int maxPositions) throws WeightFormatException {
        if (keys.integer("rope.dimension_count").orElse(headDim) != headDim) {
            throw keys.wrong(
                    "rope.dimension_count",
                    "the head dimension %d: partial rotation is not supported".formatted(headDim));
        }
        double theta = keys.positive("rope.freq_base").orElse(DEFAULT_THETA);
        RopeConfig.Scaling scaling = readScaling(keys, maxPositions);
        WeightTensor factors = parts.find(FACTORS);
        if (factors == null) {
            return new RopeConfig(theta, scaling);
        }
        if (!(scaling instanceof RopeConfig.None)) {
            throw new WeightFormatException("%s: tensor '%s' stands beside %s, expected one of them"
                    .formatted(factors.file(), FACTORS, scaling));
        }
        return new RopeConfig(theta, readFactors(factors, parts.bytes(FACTORS), headDim));
    }

    private static RopeConfig.Scaling readScaling(GgufKeys keys, int maxPositions) throws WeightFormatException {
        String type = keys.metadata().text(keys.prefix() + "rope.scaling.type").orElse("");
        requireOne(keys, "rope.scaling.attn_factor");
        requireOne(keys, "rope.scaling.yarn_attn_factor");
        if (type.isEmpty()) {
            requireNone(keys, "rope.scaling.factor", type);
        } else {
            requireNone(keys, "rope.scale_linear", type);
        }
        if (type.equals("yarn")) {
            requireOne(keys, "rope.scaling.yarn_ext_factor");
        } else {
            requireNone(keys, "rope.scaling.yarn_ext_factor", type);
        }
        return switch (type) {
            case "" -> linear(keys.positive("rope.scale_linear").orElse(1));
            case "none" -> new RopeConfig.None();
            case "linear" -> linear(keys.requirePositive("rope.scaling.factor"));
            case "yarn" -> readYarn(keys, maxPositions);
            default -> throw keys.wrong("rope.scaling.type", "one of none, linear, yarn");
        };
    }

    private static RopeConfig.Scaling linear(double factor) {
        return factor == 1 ? new RopeConfig.None() : new RopeConfig.Linear(factor);
    }

    private static void requireNone(GgufKeys keys, String key, String type) throws WeightFormatException {
        if (keys.has(key)) {
            throw keys.wrong(key, "none where rope.scaling.type is '%s'".formatted(type));
        }
    }

    private static void requireOne(GgufKeys keys, String key) throws WeightFormatException {
        if (keys.positive(key).orElse(1) != 1) {
            throw keys.wrong(key, "1: anything else is not supported");
        }
    }

    private static RopeConfig.Yarn readYarn(GgufKeys keys, int maxPositions) throws WeightFormatException {
        return new RopeConfig.Yarn(
                keys.requirePositive("rope.scaling.factor"),
                keys.has("rope.scaling.original_context_length")
                        ? keys.requireInteger("rope.scaling.original_context_length")
                        : maxPositions,
                keys.positive("rope.scaling.yarn_beta_fast").orElse(32),
                keys.positive("rope.scaling.yarn_beta_slow").orElse(1),
                0,
                true);
    }

    private static RopeConfig.Factors readFactors(WeightTensor tensor, MemorySegment bytes, int headDim)
            throws WeightFormatException {
        if (tensor.type() != DType.F32 || !tensor.shape().equals(List.of(headDim / 2L))) {
            throw new WeightFormatException(
                    "%s: tensor '%s' has type %s and shape %s, expected F32 and [%d], one factor for each pair of a head"
                            .formatted(tensor.file(), FACTORS, tensor.typeName(), tensor.shape(), headDim / 2));
        }
        List<Float> factors = new ArrayList<>();
        for (int i = 0; i < headDim / 2; i++) {
            float factor = bytes.get(FLOAT, 4L * i);
            if (!(factor > 0 && Float.isFinite(factor))) {
                throw new WeightFormatException("%s: tensor '%s' has the factor %s at %d, expected a number above 0"
                        .formatted(tensor.file(), FACTORS, factor, i));
            }
            factors.add(factor);
        }
        return new RopeConfig.Factors(factors);
    }
}
