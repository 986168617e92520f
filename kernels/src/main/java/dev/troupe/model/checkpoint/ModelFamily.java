package dev.troupe.model.checkpoint;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Architectures whose checkpoints can be read. */
enum ModelFamily {
    /** Llama 2, 3, 3.1, 3.2 (Touvron et al. 2023). */
    LLAMA("llama"),
    /** Mistral (Jiang et al. 2023). */
    MISTRAL("mistral"),
    /** Qwen2 and Qwen2.5 (Yang et al. 2024). */
    QWEN2("qwen2"),
    /** Qwen3, dense (Yang et al. 2025). */
    QWEN3("qwen3");

    private final String modelType;

    ModelFamily(String modelType) {
        this.modelType = modelType;
    }

    /**
     * What transformers takes for keys that a {@code config.json} leaves out.
     *
     * @param kvHeads null for as many as query heads
     * @param headDim null for hidden size over heads
     */
    record Defaults(
            int vocabularySize,
            int intermediateSize,
            int maxPositions,
            @Nullable Integer kvHeads,
            @Nullable Integer headDim,
            @Nullable Integer bosToken,
            @Nullable Integer eosToken) {}

    /** The family of that {@code model_type}. */
    static Optional<ModelFamily> of(String modelType) {
        return Arrays.stream(values())
                .filter(family -> family.modelType.equals(modelType))
                .findFirst();
    }

    /** All {@code model_type}s that work, for messages. */
    static String modelTypes() {
        return Arrays.stream(values()).map(family -> family.modelType).collect(Collectors.joining(", "));
    }

    String modelType() {
        return modelType;
    }

    Defaults defaults() {
        return switch (this) {
            case LLAMA -> new Defaults(32000, 11008, 2048, null, null, 1, 2);
            case MISTRAL -> new Defaults(32000, 14336, 131072, 8, null, 1, 2);
            case QWEN2 -> new Defaults(151936, 22016, 32768, 32, null, null, null);
            case QWEN3 -> new Defaults(151936, 22016, 32768, 32, 128, null, null);
        };
    }
}
