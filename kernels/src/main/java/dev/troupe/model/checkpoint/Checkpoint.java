package dev.troupe.model.checkpoint;

import dev.troupe.model.ModelConfig;
import dev.troupe.weights.Safetensors;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A model as it lies on a disk: its configuration and its weights, of which nothing has been read yet.
 *
 * @param name what to call it in messages
 * @param directory where it lies, or null for a synthetic one
 * @param config its shape
 * @param weights its tensors
 */
public record Checkpoint(String name, @Nullable Path directory, ModelConfig config, WeightSource weights)
        implements AutoCloseable {

    /**
     * Opens a directory in Hugging Face's layout: {@code config.json} and safetensors.
     *
     * @throws WeightFormatException if anything in it is malformed, missing, or not supported
     */
    public static Checkpoint open(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new WeightFormatException(
                    "%s is no directory; expected one with config.json and model.safetensors".formatted(directory));
        }
        ModelConfig config = ModelConfigReader.read(directory);
        Checkpoint checkpoint = new Checkpoint(directory.toString(), directory, config, Safetensors.open(directory));
        checkpoint.requireTensors();
        return checkpoint;
    }

    /** Checks that every tensor of the model is there, has the shape that the configuration wants and a type that works. */
    private void requireTensors() throws WeightFormatException {
        for (DecoderTensors.Expected expected : DecoderTensors.all(config)) {
            WeightTensor tensor = weights.require(expected.name());
            if (!tensor.shape().equals(expected.shape())) {
                throw new WeightFormatException("%s: tensor '%s' has shape %s, config.json wants %s"
                        .formatted(tensor.file(), tensor.name(), tensor.shape(), expected.shape()));
            }
            requireType(tensor, expected);
        }
    }

    private static void requireType(WeightTensor tensor, DecoderTensors.Expected expected)
            throws WeightFormatException {
        if (tensor.type() == null || (tensor.type().quantised() && !expected.isMatrix())) {
            List<String> works =
                    expected.isMatrix() ? List.of("F32", "BF16", "F16", "Q8_0") : List.of("F32", "BF16", "F16");
            throw new WeightFormatException(
                    "%s: tensor '%s' has dtype %s, which no kernel computes with; these work: %s"
                            .formatted(tensor.file(), tensor.name(), tensor.typeName(), String.join(", ", works)));
        }
    }

    @Override
    public void close() {
        weights.close();
    }
}
