package dev.troupe.model.checkpoint;

import dev.troupe.model.DecoderTensors;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.tensor.DType;
import dev.troupe.weights.SyntheticWeights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Named model shapes filled with random weights, so that speed can be measured without a download. */
public final class SyntheticModel {
    private static final Map<String, ModelConfig> SHAPES = shapes();

    /** The mixture of files that are called so: half of the value and down matrices and the vocabulary are q6_k, others q4_k. */
    private static final String Q4_K_M = "q4_k_m";

    private SyntheticModel() {}

    private static Map<String, ModelConfig> shapes() {
        Map<String, ModelConfig> shapes = new LinkedHashMap<>();
        // Small enough for tests; its chunks cut quantised blocks.
        shapes.put("tiny", llama(4, 64, 160, 8, 4, 16, 640, 512, false, new RopeConfig(10_000, new RopeConfig.None())));
        // The same for types whose blocks have 256 columns.
        shapes.put(
                "tiny-256",
                llama(4, 256, 768, 8, 4, 32, 640, 512, false, new RopeConfig(10_000, new RopeConfig.None())));
        // Llama 3.2 1B.
        shapes.put("llama-1b", llama(16, 2048, 8192, 32, 8, 64, 128_256, 131_072, true, llama3(32)));
        // Llama 3.1 8B.
        shapes.put("llama-8b", llama(32, 4096, 14_336, 32, 8, 128, 128_256, 131_072, false, llama3(8)));
        return shapes;
    }

    private static ModelConfig llama(
            int layers,
            int hiddenSize,
            int intermediateSize,
            int heads,
            int kvHeads,
            int headDim,
            int vocabularySize,
            int maxPositions,
            boolean tiedEmbeddings,
            RopeConfig rope) {
        return new ModelConfig(
                "llama",
                layers,
                hiddenSize,
                intermediateSize,
                heads,
                kvHeads,
                headDim,
                vocabularySize,
                maxPositions,
                1e-5f,
                rope,
                0,
                Collections.nCopies(layers, false),
                tiedEmbeddings,
                false,
                false,
                false,
                false,
                1,
                List.of(2));
    }

    private static RopeConfig llama3(double factor) {
        return new RopeConfig(500_000, new RopeConfig.Llama3(factor, 1, 4, 8192));
    }

    /**
     * A checkpoint of the shape and type that {@code name} says.
     *
     * @param name {@code shape:type}, for example {@code llama-1b:q8_0}
     * @throws IllegalArgumentException with all names that work, or if the shape's columns do not fill the type's blocks
     */
    public static Checkpoint named(String name) {
        String[] parts = name.toLowerCase(Locale.ROOT).split(":", -1);
        ModelConfig config = SHAPES.get(parts[0]);
        if (config != null && parts.length == 2 && parts[1].equals(Q4_K_M)) {
            return random(config, SyntheticModel::q4km, "synthetic " + name, 1);
        }
        for (DType type : DType.values()) {
            if (config != null && parts.length == 2 && parts[1].equals(type.label())) {
                return random(config, type, "synthetic " + name, 1);
            }
        }
        throw new IllegalArgumentException("synthetic = %s does not work; expected SHAPE:TYPE, shapes: %s; types: %s"
                .formatted(
                        name,
                        String.join(", ", SHAPES.keySet()),
                        Arrays.stream(DType.values()).map(DType::label).collect(Collectors.joining(", "))
                                + ", "
                                + Q4_K_M));
    }

    private static DType q4km(String tensor) {
        boolean fine = tensor.matches("model\\.layers\\.\\d*[13579]\\..*(v_proj|down_proj)\\.weight");
        return fine || !tensor.contains(".layers.") ? DType.Q6_K : DType.Q4_K;
    }

    /**
     * A checkpoint of any shape. Matrices are scaled by their inputs, so that hidden states keep their size and logits
     * stay finite; vectors are f32.
     *
     * @param type of the matrices
     */
    public static Checkpoint random(ModelConfig config, DType type, String name, long seed) {
        return random(config, _ -> type, name, seed);
    }

    private static Checkpoint random(ModelConfig config, Function<String, DType> types, String name, long seed) {
        List<SyntheticWeights.Recipe> recipes = new ArrayList<>();
        for (DecoderTensors.Expected expected : DecoderTensors.all(config)) {
            recipes.add(recipe(expected, types.apply(expected.name()), config.layers()));
        }
        return new Checkpoint(name, null, config, new SyntheticWeights(name, seed, recipes));
    }

    private static SyntheticWeights.Recipe recipe(DecoderTensors.Expected expected, DType type, int layers) {
        if (!expected.isMatrix()) {
            boolean norm = expected.name().endsWith("norm.weight");
            return SyntheticWeights.Recipe.of(expected.name(), DType.F32, expected.shape(), norm ? 1 : 0, 0.3f);
        }
        boolean residual = expected.name().endsWith(DecoderTensors.ATTENTION_OUT + ".weight")
                || expected.name().endsWith(DecoderTensors.DOWN + ".weight");
        // Small against what the layers add, or a tied model would only repeat its last token.
        double deviation = expected.name().equals(DecoderTensors.EMBEDDING)
                ? 0.02
                : 1 / Math.sqrt(expected.shape().getLast() * (residual ? 2.0 * layers : 1));
        float spread = (float) (Math.sqrt(3) * deviation);
        return SyntheticWeights.Recipe.of(expected.name(), type, expected.shape(), 0, spread);
    }
}
