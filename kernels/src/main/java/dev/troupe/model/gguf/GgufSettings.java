package dev.troupe.model.gguf;

import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufMetadata;
import java.util.Set;

/**
 * Refuses every setting of an architecture that would change the arithmetic in a way no program here has, unless it says
 * "as usual". A key that is not known is refused as well.
 */
final class GgufSettings {
    /** Keys that {@link GgufConfigReader} and {@link GgufRopeReader} read. */
    private static final Set<String> READ = Set.of(
            "attention.head_count",
            "attention.head_count_kv",
            "attention.key_length",
            "attention.layer_norm_rms_epsilon",
            "attention.sliding_window",
            "attention.value_length",
            "block_count",
            "context_length",
            "embedding_length",
            "feed_forward_length",
            "rope.dimension_count",
            "rope.freq_base",
            "rope.scale_linear",
            "rope.scaling.attn_factor",
            "rope.scaling.factor",
            "rope.scaling.original_context_length",
            "rope.scaling.type",
            "rope.scaling.yarn_attn_factor",
            "rope.scaling.yarn_beta_fast",
            "rope.scaling.yarn_beta_slow",
            "rope.scaling.yarn_ext_factor",
            "vocab_size");

    /** Keys that say something about the file's past only. */
    private static final Set<String> REMARKS = Set.of("rope.scaling.finetuned", "tensor_data_layout");

    /** Keys that may be 0, which turns off what they set. */
    private static final Set<String> ZERO = Set.of(
            "attention.clamp_kqv",
            "attention.max_alibi_bias",
            "attn_logit_softcapping",
            "expert_count",
            "expert_shared_count",
            "expert_used_count",
            "final_logit_softcapping",
            "leading_dense_block_count",
            "nextn_predict_layers",
            "pooling_type");

    /** Keys that may be 1. */
    private static final Set<String> ONE = Set.of("embedding_scale", "logit_scale", "residual_scale");

    private GgufSettings() {}

    /** @throws WeightFormatException naming the first setting that is not supported, and what would be */
    static void refuse(GgufKeys keys) throws WeightFormatException {
        GgufMetadata metadata = keys.metadata();
        for (String key : metadata.keys()) {
            if (key.startsWith(keys.prefix())) {
                refuse(keys, key.substring(keys.prefix().length()));
            }
        }
    }

    private static void refuse(GgufKeys keys, String key) throws WeightFormatException {
        if (READ.contains(key) || REMARKS.contains(key)) {
            return;
        }
        if (ZERO.contains(key)) {
            require(value(keys, key) == 0, keys, key, "0");
        } else if (ONE.contains(key)) {
            require(value(keys, key) == 1, keys, key, "1");
        } else if (key.equals("attention.causal")) {
            require(keys.metadata().flag(keys.prefix() + key).orElse(true), keys, key, "true");
        } else if (key.equals("use_parallel_residual")) {
            require(!keys.metadata().flag(keys.prefix() + key).orElse(false), keys, key, "false");
        } else {
            throw keys.wrong(key, "no such key: it is not supported");
        }
    }

    /** A number of any type. */
    private static double value(GgufKeys keys, String key) throws WeightFormatException {
        String full = keys.prefix() + key;
        return keys.metadata().isInteger(full)
                ? keys.metadata().integer(full).orElse(0)
                : keys.metadata().number(full).orElse(0);
    }

    private static void require(boolean usual, GgufKeys keys, String key, String expected)
            throws WeightFormatException {
        if (!usual) {
            throw keys.wrong(key, "%s: anything else is not supported".formatted(expected));
        }
    }
}
