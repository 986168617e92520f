package dev.troupe.model;

import java.util.ArrayList;
import java.util.List;

/** Names and shapes of the tensors of a decoder checkpoint in Hugging Face's layout; matrices are {@code [out, in]}. */
public final class DecoderTensors {
    public static final String EMBEDDING = "model.embed_tokens.weight";
    public static final String FINAL_NORM = "model.norm.weight";
    public static final String HEAD = "lm_head.weight";
    public static final String INPUT_NORM = "input_layernorm.weight";
    public static final String POST_NORM = "post_attention_layernorm.weight";
    public static final String QUERY = "self_attn.q_proj";
    public static final String KEY = "self_attn.k_proj";
    public static final String VALUE = "self_attn.v_proj";
    public static final String ATTENTION_OUT = "self_attn.o_proj";
    public static final String QUERY_NORM = "self_attn.q_norm.weight";
    public static final String KEY_NORM = "self_attn.k_norm.weight";
    public static final String GATE = "mlp.gate_proj";
    public static final String UP = "mlp.up_proj";
    public static final String DOWN = "mlp.down_proj";

    private DecoderTensors() {}

    /**
     * One tensor that a model needs.
     *
     * @param shape {@code [n]} or {@code [out, in]}
     */
    public record Expected(String name, List<Long> shape) {
        public Expected {
            shape = List.copyOf(shape);
        }

        /** Whether it is a matrix, which may be quantised, and not a vector. */
        public boolean isMatrix() {
            return shape.size() == 2;
        }
    }

    /** Full name of a tensor of a layer. */
    public static String layer(int layer, String part) {
        return "model.layers.%d.%s".formatted(layer, part);
    }

    /** Everything that the whole model needs, in the order in which it computes. */
    public static List<Expected> all(ModelConfig config) {
        List<Expected> all = new ArrayList<>();
        all.add(matrix(EMBEDDING, config.vocabularySize(), config.hiddenSize()));
        for (int layer = 0; layer < config.layers(); layer++) {
            addLayer(all, config, layer);
        }
        all.add(vector(FINAL_NORM, config.hiddenSize()));
        if (!config.tiedEmbeddings()) {
            all.add(matrix(HEAD, config.vocabularySize(), config.hiddenSize()));
        }
        return all;
    }

    private static void addLayer(List<Expected> all, ModelConfig config, int layer) {
        long hidden = config.hiddenSize();
        long queries = (long) config.heads() * config.headDim();
        long keys = (long) config.kvHeads() * config.headDim();
        long inner = config.intermediateSize();
        all.add(vector(layer(layer, INPUT_NORM), hidden));
        addProjection(all, layer, QUERY, queries, hidden, config.attentionBias());
        addProjection(all, layer, KEY, keys, hidden, config.attentionBias());
        addProjection(all, layer, VALUE, keys, hidden, config.attentionBias());
        if (config.headNorm()) {
            all.add(vector(layer(layer, QUERY_NORM), config.headDim()));
            all.add(vector(layer(layer, KEY_NORM), config.headDim()));
        }
        addProjection(all, layer, ATTENTION_OUT, hidden, queries, config.attentionOutputBias());
        all.add(vector(layer(layer, POST_NORM), hidden));
        addProjection(all, layer, GATE, inner, hidden, config.feedForwardBias());
        addProjection(all, layer, UP, inner, hidden, config.feedForwardBias());
        addProjection(all, layer, DOWN, hidden, inner, config.feedForwardBias());
    }

    private static void addProjection(
            List<Expected> all, int layer, String part, long rows, long columns, boolean bias) {
        all.add(matrix(layer(layer, part + ".weight"), rows, columns));
        if (bias) {
            all.add(vector(layer(layer, part + ".bias"), rows));
        }
    }

    private static Expected matrix(String name, long rows, long columns) {
        return new Expected(name, List.of(rows, columns));
    }

    private static Expected vector(String name, long size) {
        return new Expected(name, List.of(size));
    }
}
