package dev.troupe.model.checkpoint;

import dev.troupe.model.DecoderTensors;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.gguf.GgufModel;
import dev.troupe.tensor.DType;
import dev.troupe.weights.Safetensors;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A model as it lies on a disk: its configuration and its weights, of which nothing has been read yet.
 *
 * @param name what to call it in messages
 * @param path its directory, or its GGUF file (the first part of a split one), or null for a synthetic one
 * @param config its shape
 * @param weights its tensors
 * @param metadata what a GGUF file says beside the tensors, its vocabulary among it; null for another checkpoint
 */
public record Checkpoint(
        String name,
        @Nullable Path path,
        ModelConfig config,
        WeightSource weights,
        @Nullable GgufMetadata metadata) implements AutoCloseable {

    /** A checkpoint that is no GGUF file. */
    public Checkpoint(String name, @Nullable Path directory, ModelConfig config, WeightSource weights) {
        this(name, directory, config, weights, null);
    }

    /**
     * Opens a directory in Hugging Face's layout, {@code config.json} and safetensors, or a GGUF file; of a split one any
     * part.
     *
     * @throws WeightFormatException if anything in it is malformed, missing, or not supported
     */
    public static Checkpoint open(Path path) throws IOException {
        Checkpoint checkpoint = Files.isRegularFile(path) ? openGguf(path) : openDirectory(path);
        checkpoint.requireTensors();
        return checkpoint;
    }

    private static Checkpoint openGguf(Path path) throws IOException {
        GgufModel model = GgufModel.open(path);
        return new Checkpoint(model.path().toString(), model.path(), model.config(), model.weights(), model.metadata());
    }

    private static Checkpoint openDirectory(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new WeightFormatException(
                    "%s is no directory and no file; expected a GGUF file, or a directory with config.json and model.safetensors"
                            .formatted(directory));
        }
        Optional<Path> gguf = Files.exists(directory.resolve("config.json")) ? Optional.empty() : firstGguf(directory);
        if (gguf.isPresent()) {
            throw new WeightFormatException("%s has no config.json, but GGUF files: name one of them, for example %s"
                    .formatted(directory, gguf.get()));
        }
        return new Checkpoint(
                directory.toString(), directory, ModelConfigReader.read(directory), Safetensors.open(directory));
    }

    private static Optional<Path> firstGguf(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> file.toString().endsWith(".gguf"))
                    .sorted()
                    .findFirst();
        }
    }

    /** Its directory in Hugging Face's layout, or null for a GGUF file and for a synthetic one. */
    public @Nullable Path directory() {
        return metadata == null ? path : null;
    }

    /** The directory that its files lie in, or null for a synthetic one. */
    public @Nullable Path folder() {
        return metadata == null || path == null ? path : path.toAbsolutePath().getParent();
    }

    /** Types of its matrices, the one with the most bytes first. */
    public List<DType> matrixTypes() {
        Map<DType, Long> bytes = new EnumMap<>(DType.class);
        for (WeightTensor tensor : weights.tensors()) {
            if (tensor.type() != null && tensor.shape().size() > 1) {
                bytes.merge(tensor.type(), tensor.byteSize(), Long::sum);
            }
        }
        return bytes.keySet().stream()
                .sorted(Comparator.comparing(bytes::get).reversed())
                .toList();
    }

    /** Checks that every tensor of the model is there, has the shape that the configuration wants and a type that works. */
    private void requireTensors() throws WeightFormatException {
        for (DecoderTensors.Expected expected : DecoderTensors.all(config)) {
            WeightTensor tensor = weights.require(expected.name());
            if (!tensor.shape().equals(expected.shape())) {
                throw new WeightFormatException("%s: tensor '%s' has shape %s, the configuration wants %s"
                        .formatted(tensor.file(), tensor.name(), tensor.shape(), expected.shape()));
            }
            requireType(tensor, expected);
        }
    }

    private static void requireType(WeightTensor tensor, DecoderTensors.Expected expected)
            throws WeightFormatException {
        if (tensor.type() == null || (tensor.type().quantised() && !expected.isMatrix())) {
            List<String> works = Arrays.stream(DType.values())
                    .filter(type -> expected.isMatrix() || !type.quantised())
                    .map(DType::name)
                    .toList();
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
