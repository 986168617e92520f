package dev.troupe.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.model.ModelConfig;
import dev.troupe.weights.StrictJson;
import dev.troupe.weights.WeightFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Reads a checkpoint's {@code config.json} (Hugging Face's keys, absent ones as transformers fills them in) and the ids
 * that end a text from its {@code generation_config.json}. A setting that would change the arithmetic and is not
 * supported is refused, never ignored.
 */
public final class ModelConfigReader {
    private static final long MAX_BYTES = 10_000_000;
    private static final int MAX_LAYERS = 100_000;

    private final ConfigKeys keys;
    private final ModelFamily family;

    private ModelConfigReader(ConfigKeys keys, ModelFamily family) {
        this.keys = keys;
        this.family = family;
    }

    /**
     * Reads the configuration of the checkpoint in {@code directory}.
     *
     * @throws WeightFormatException if it is malformed, contradicts itself or asks for what is not supported
     */
    public static ModelConfig read(Path directory) throws IOException {
        Path file = directory.resolve("config.json");
        if (!Files.isRegularFile(file)) {
            throw new WeightFormatException(
                    "%s has no config.json; expected a checkpoint directory in Hugging Face's layout"
                            .formatted(directory));
        }
        ConfigKeys keys = new ConfigKeys(file.toString(), StrictJson.object(file, MAX_BYTES));
        ModelFamily family = family(keys);
        UnsupportedSettings.refuse(keys, family);
        Set<Integer> eosTokens =
                new TreeSet<>(tokens(keys, "eos_token_id", family.defaults().eosToken()));
        Path generation = directory.resolve("generation_config.json");
        if (Files.isRegularFile(generation)) {
            ConfigKeys more = new ConfigKeys(generation.toString(), StrictJson.object(generation, MAX_BYTES));
            eosTokens.addAll(tokens(more, "eos_token_id", null));
        }
        try {
            return new ModelConfigReader(keys, family).read(eosTokens);
        } catch (IllegalArgumentException e) {
            throw new WeightFormatException("%s: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static ModelFamily family(ConfigKeys keys) throws WeightFormatException {
        String type = keys.text("model_type").orElse("");
        return ModelFamily.of(type).orElseThrow(() -> keys.wrong("model_type", "one of " + ModelFamily.modelTypes()));
    }

    private ModelConfig read(Set<Integer> eosTokens) throws WeightFormatException {
        ModelFamily.Defaults absent = family.defaults();
        int layers = keys.integer("num_hidden_layers").orElse(32);
        if (layers > MAX_LAYERS) {
            throw keys.wrong("num_hidden_layers", "at most " + MAX_LAYERS);
        }
        int hiddenSize = keys.integer("hidden_size").orElse(4096);
        int heads = keys.integer("num_attention_heads").orElse(32);
        int maxPositions = keys.integer("max_position_embeddings").orElse(absent.maxPositions());
        int window = window();
        List<Integer> bosTokens = tokens(keys, "bos_token_id", absent.bosToken());
        boolean attentionBias = switch (family) {
            case LLAMA, QWEN3 -> keys.flag("attention_bias", false);
            case QWEN2 -> true;
            case MISTRAL -> false;
        };
        return new ModelConfig(
                family.modelType(),
                layers,
                hiddenSize,
                keys.integer("intermediate_size").orElse(absent.intermediateSize()),
                heads,
                kvHeads(heads),
                headDim(hiddenSize, heads),
                keys.integer("vocab_size").orElse(absent.vocabularySize()),
                maxPositions,
                (float) keys.positive("rms_norm_eps").orElse(1e-6),
                RopeConfigReader.read(keys, maxPositions),
                window,
                windowLayers(layers, window),
                keys.flag("tie_word_embeddings", false),
                attentionBias,
                attentionBias && family != ModelFamily.QWEN2,
                family == ModelFamily.LLAMA && keys.flag("mlp_bias", false),
                family == ModelFamily.QWEN3,
                bosTokens.isEmpty() ? null : bosTokens.getFirst(),
                List.copyOf(eosTokens));
    }

    private int kvHeads(int heads) throws WeightFormatException {
        Integer absent = family.defaults().kvHeads();
        boolean isNull = keys.node("num_key_value_heads").isNull();
        return keys.integer("num_key_value_heads").orElse(absent == null || isNull ? heads : absent);
    }

    private int headDim(int hiddenSize, int heads) throws WeightFormatException {
        Integer absent = family.defaults().headDim();
        if (keys.has("head_dim") || absent != null) {
            return keys.integer("head_dim").orElse(absent == null ? 0 : absent);
        }
        if (heads < 1 || hiddenSize % heads != 0) {
            throw keys.wrong("hidden_size", "a multiple of num_attention_heads = %d, or a head_dim".formatted(heads));
        }
        return hiddenSize / heads;
    }

    /** Visible tokens, or 0 where no layer has a window. */
    private int window() throws WeightFormatException {
        boolean used = switch (family) {
            case LLAMA -> false;
            case MISTRAL -> true;
            case QWEN2, QWEN3 -> keys.flag("use_sliding_window", false);
        };
        if (!used || keys.node("sliding_window").isNull()) {
            return 0;
        }
        int window = keys.integer("sliding_window").orElse(4096);
        if (window < 1) {
            throw keys.wrong("sliding_window", "at least 1 token, or null");
        }
        return window;
    }

    private List<Boolean> windowLayers(int layers, int window) throws WeightFormatException {
        boolean perLayer = family == ModelFamily.QWEN2 || family == ModelFamily.QWEN3;
        int firstLayer = perLayer ? keys.integer("max_window_layers").orElse(28) : 0;
        List<Boolean> usual = new ArrayList<>();
        for (int layer = 0; layer < layers; layer++) {
            usual.add(window > 0 && layer >= firstLayer);
        }
        if (!keys.has("layer_types")) {
            return usual;
        }
        List<Boolean> listed = new ArrayList<>();
        for (JsonNode type : keys.node("layer_types")) {
            if (!type.isTextual()
                    || !Set.of("sliding_attention", "full_attention").contains(type.textValue())) {
                throw keys.wrong("layer_types", "a list of sliding_attention and full_attention");
            }
            listed.add(type.textValue().equals("sliding_attention"));
        }
        if (listed.size() != layers) {
            throw keys.wrong("layer_types", "one entry for each of the %d layers".formatted(layers));
        }
        if (!perLayer && !listed.equals(usual)) {
            throw keys.wrong(
                    "layer_types", "the same attention in all layers, as %s has it".formatted(family.modelType()));
        }
        return window > 0 ? listed : usual;
    }

    private static List<Integer> tokens(ConfigKeys keys, String key, @Nullable Integer absent)
            throws WeightFormatException {
        JsonNode value = keys.node(key);
        if (value.isMissingNode() && absent != null) {
            return List.of(absent);
        }
        if (value.isMissingNode() || value.isNull()) {
            return List.of();
        }
        List<Integer> tokens = new ArrayList<>();
        for (JsonNode id : value.isArray() ? value : Collections.singletonList(value)) {
            if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0) {
                throw keys.wrong(key, "a token id or a list of them");
            }
            tokens.add(id.intValue());
        }
        return tokens;
    }
}
