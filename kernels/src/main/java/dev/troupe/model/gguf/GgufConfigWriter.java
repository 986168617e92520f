package dev.troupe.model.gguf;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.weights.gguf.GgufWriter;

/** The keys that {@link GgufConfigReader} and {@link GgufRopeReader} read. Numbers are rounded to f32, as GGUF files have them. */
final class GgufConfigWriter {
    private GgufConfigWriter() {}

    /** @throws IllegalArgumentException naming what GGUF has no key for */
    static void refuse(ModelConfig config, GgufArchitecture architecture) {
        int window = config.slidingWindow();
        boolean windowed = window > 0 && config.windowLayers().contains(true);
        if (windowed
                && (architecture != GgufArchitecture.LLAMA
                        || config.windowLayers().contains(false))) {
            throw new IllegalArgumentException(
                    "sliding_window = %d of %s cannot be written: a GGUF file does not say which layers it is for"
                            .formatted(window, config.modelType()));
        }
        if (config.rope().scaling() instanceof RopeConfig.Yarn yarn) {
            refuse(yarn);
        }
    }

    private static void refuse(RopeConfig.Yarn yarn) {
        double usual = RopeConfig.Yarn.magnitude(yarn.factor(), 1);
        if (yarn.attentionFactor() != 0 && yarn.attentionFactor() != usual) {
            throw new IllegalArgumentException(
                    "attention_factor = %s of yarn cannot be written: a GGUF file stands for the usual one, which is %s"
                            .formatted(yarn.attentionFactor(), usual));
        }
        if (!yarn.truncate()) {
            throw new IllegalArgumentException(
                    "truncate = false of yarn cannot be written: a GGUF file stands for true");
        }
        if (yarn.originalMaxPositions() != Math.rint(yarn.originalMaxPositions())) {
            throw new IllegalArgumentException(
                    "original_max_position_embeddings = %s of yarn cannot be written: GGUF files have whole numbers"
                            .formatted(yarn.originalMaxPositions()));
        }
    }

    static void write(ModelConfig config, GgufArchitecture architecture, GgufWriter writer) {
        String prefix = architecture.label() + ".";
        writer.text("general.architecture", architecture.label())
                .text("general.type", "model")
                .integer(prefix + "context_length", config.maxPositions())
                .integer(prefix + "embedding_length", config.hiddenSize())
                .integer(prefix + "block_count", config.layers())
                .integer(prefix + "feed_forward_length", config.intermediateSize())
                .integer(prefix + "attention.head_count", config.heads())
                .integer(prefix + "attention.head_count_kv", config.kvHeads())
                .integer(prefix + "attention.key_length", config.headDim())
                .integer(prefix + "attention.value_length", config.headDim())
                .number(prefix + "attention.layer_norm_rms_epsilon", config.rmsNormEps())
                .integer(prefix + "vocab_size", config.vocabularySize())
                .integer(prefix + "rope.dimension_count", config.headDim())
                .number(prefix + "rope.freq_base", (float) config.rope().theta());
        if (config.windowLayers().contains(true)) {
            writer.integer(prefix + "attention.sliding_window", config.slidingWindow());
        }
        writeScaling(config.rope().scaling(), prefix + "rope.scaling.", writer);
    }

    private static void writeScaling(RopeConfig.Scaling scaling, String prefix, GgufWriter writer) {
        switch (scaling) {
            case RopeConfig.None _, RopeConfig.Llama3 _, RopeConfig.Factors _ -> {
                // nothing, or factors in a tensor of their own
            }
            case RopeConfig.Linear(double factor) ->
                writer.text(prefix + "type", "linear").number(prefix + "factor", (float) factor);
            case RopeConfig.Yarn yarn ->
                writer.text(prefix + "type", "yarn")
                        .number(prefix + "factor", (float) yarn.factor())
                        .integer(prefix + "original_context_length", (long) yarn.originalMaxPositions())
                        .number(prefix + "yarn_beta_fast", (float) yarn.betaFast())
                        .number(prefix + "yarn_beta_slow", (float) yarn.betaSlow());
        }
    }
}
