package dev.troupe.model.gguf;

import dev.troupe.model.ModelConfig;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.gguf.GgufMetadata;
import dev.troupe.weights.gguf.GgufParts;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A model in a GGUF file, or in the parts of a split one, as a checkpoint has it.
 *
 * @param path the file, or the first part
 * @param config its shape
 * @param weights its tensors, by the names and in the order of a checkpoint in Hugging Face's layout
 * @param metadata everything that the file says, the vocabulary among it
 */
public record GgufModel(Path path, ModelConfig config, WeightSource weights, GgufMetadata metadata) {
    /**
     * Opens a file; any part of a split one opens all.
     *
     * @throws WeightFormatException if anything in it is malformed or not supported; whether it has every tensor that the
     *     model needs is not looked at
     */
    public static GgufModel open(Path path) throws IOException {
        GgufParts parts = GgufParts.open(path);
        GgufArchitecture architecture = GgufConfigReader.architecture(parts.metadata());
        ModelConfig config = GgufConfigReader.read(parts, architecture);
        RotationOrder order = architecture.interleaved() ? new RotationOrder(config.headDim()) : null;
        return new GgufModel(parts.path(), config, new GgufWeights(parts, config, order), parts.metadata());
    }
}
