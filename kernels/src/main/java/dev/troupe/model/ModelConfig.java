package dev.troupe.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The shape of a decoder-only transformer, as a checkpoint's {@code config.json} gives it.
 *
 * @param modelType Hugging Face's {@code model_type}, for example {@code llama}
 * @param layers {@code num_hidden_layers}
 * @param hiddenSize {@code hidden_size}
 * @param intermediateSize {@code intermediate_size} of the feed-forward block
 * @param heads {@code num_attention_heads}: query heads
 * @param kvHeads {@code num_key_value_heads}: the groups that ranks own whole
 * @param headDim {@code head_dim}, or hidden size over heads
 * @param vocabularySize {@code vocab_size}
 * @param maxPositions {@code max_position_embeddings}, in tokens
 * @param rmsNormEps {@code rms_norm_eps}
 * @param rope rotary embedding
 * @param slidingWindow visible tokens including itself, or 0 for all before it; see {@link #windowLayers}
 * @param windowLayers per layer whether the window applies
 * @param tiedEmbeddings whether the output matrix is the embedding table
 * @param attentionBias bias on q, k and v
 * @param attentionOutputBias bias on the attention's output matrix
 * @param feedForwardBias bias on the feed-forward matrices
 * @param headNorm RMSNorm of each head of q and k before the rotation (Qwen3)
 * @param bosToken beginning-of-sequence id, or null
 * @param eosTokens ids that end a text
 */
public record ModelConfig(
        String modelType,
        int layers,
        int hiddenSize,
        int intermediateSize,
        int heads,
        int kvHeads,
        int headDim,
        int vocabularySize,
        int maxPositions,
        float rmsNormEps,
        RopeConfig rope,
        int slidingWindow,
        List<Boolean> windowLayers,
        boolean tiedEmbeddings,
        boolean attentionBias,
        boolean attentionOutputBias,
        boolean feedForwardBias,
        boolean headNorm,
        @Nullable Integer bosToken,
        List<Integer> eosTokens) {

    private static final long WIDEST = 1 << 28;

    public ModelConfig {
        windowLayers = List.copyOf(windowLayers);
        eosTokens = List.copyOf(eosTokens);
        requirePositive("num_hidden_layers", layers);
        requirePositive("hidden_size", hiddenSize);
        requirePositive("intermediate_size", intermediateSize);
        requirePositive("num_attention_heads", heads);
        requirePositive("num_key_value_heads", kvHeads);
        requirePositive("head_dim", headDim);
        requirePositive("vocab_size", vocabularySize);
        requirePositive("max_position_embeddings", maxPositions);
        if (heads % kvHeads != 0) {
            throw new IllegalArgumentException(
                    "num_attention_heads=%d is not a multiple of num_key_value_heads=%d".formatted(heads, kvHeads));
        }
        if (headDim % 2 != 0) {
            throw new IllegalArgumentException("head_dim=%d is odd; the rotation needs pairs".formatted(headDim));
        }
        if (rope.scaling() instanceof RopeConfig.Factors(List<Float> factors) && factors.size() != headDim / 2) {
            throw new IllegalArgumentException(
                    "the rotation has %d factors, expected %d, one for each pair of head_dim=%d"
                            .formatted(factors.size(), headDim / 2, headDim));
        }
        long widest = Math.max((heads + 2L * kvHeads) * headDim, 2L * intermediateSize);
        if (Math.max(widest, Math.max(hiddenSize, vocabularySize)) > WIDEST) {
            throw new IllegalArgumentException(
                    "a matrix has %d rows or columns, expected at most %d".formatted(widest, WIDEST));
        }
        if (windowLayers.size() != layers) {
            throw new IllegalArgumentException(
                    "windowLayers has %d entries for %d layers".formatted(windowLayers.size(), layers));
        }
    }

    private static void requirePositive(String key, int value) {
        if (value < 1) {
            throw new IllegalArgumentException("%s=%d, expected at least 1".formatted(key, value));
        }
    }

    /** Query heads that share one KV head. */
    public int headsPerGroup() {
        return heads / kvHeads;
    }

    /** Visible tokens in {@code layer}, itself included, or 0 for all. */
    public int window(int layer) {
        return windowLayers.get(layer) ? slidingWindow : 0;
    }
}
