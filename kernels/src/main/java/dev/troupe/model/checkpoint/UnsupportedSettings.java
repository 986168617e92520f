package dev.troupe.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.weights.WeightFormatException;
import java.util.List;

/**
 * Settings of a {@code config.json} that would change the arithmetic in a way no program here has: they are refused
 * unless they say "as usual".
 */
final class UnsupportedSettings {
    /** Keys that must be absent or null. */
    private static final List<String> ABSENT = List.of(
            "attention_multiplier",
            "attn_logit_softcapping",
            "clip_qkv",
            "compression_config",
            "final_logit_softcapping",
            "n_routed_experts",
            "no_rope_layers",
            "num_experts",
            "num_local_experts",
            "quantization_config",
            "query_pre_attn_scalar",
            "rope_local_base_freq",
            "sliding_window_pattern");

    /** Keys that may also be false. */
    private static final List<String> FALSE = List.of(
            "is_encoder_decoder",
            "qk_layernorm",
            "rope_interleaved",
            "use_bidirectional_attention",
            "use_mrope",
            "use_qk_norm");

    /** Keys that may also be 1. */
    private static final List<String> ONE =
            List.of("embedding_multiplier", "logits_scaling", "partial_rotary_factor", "residual_multiplier");

    private UnsupportedSettings() {}

    /** @throws WeightFormatException naming the first setting that is not supported, and what would be */
    static void refuse(ConfigKeys keys, ModelFamily family) throws WeightFormatException {
        String activation = keys.text("hidden_act").orElse("silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw keys.wrong("hidden_act", "silu");
        }
        JsonNode architecture = keys.node("architectures").path(0);
        if (architecture.isTextual() && !architecture.textValue().endsWith("ForCausalLM")) {
            throw keys.wrong("architectures", "a language model: a name that ends in ForCausalLM");
        }
        for (String key : ABSENT) {
            require(!keys.has(key), keys, key, "none", family);
        }
        for (String key : FALSE) {
            require(!keys.flag(key, false), keys, key, "false", family);
        }
        for (String key : ONE) {
            require(keys.number(key).orElse(1) == 1, keys, key, "1", family);
        }
        if (family != ModelFamily.LLAMA) {
            require(!keys.flag("mlp_bias", false), keys, "mlp_bias", "false", family);
        }
        if (family == ModelFamily.MISTRAL) {
            require(!keys.flag("attention_bias", false), keys, "attention_bias", "false", family);
        }
        if (family == ModelFamily.LLAMA) {
            require(!keys.has("sliding_window"), keys, "sliding_window", "null", family);
        }
    }

    private static void require(boolean usual, ConfigKeys keys, String key, String expected, ModelFamily family)
            throws WeightFormatException {
        if (!usual) {
            throw keys.wrong(key, "%s: anything else is not supported for %s".formatted(expected, family.modelType()));
        }
    }
}
