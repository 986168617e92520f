package dev.troupe.cli;

import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.node.ModelLocation;
import java.io.IOException;
import picocli.CommandLine.Option;

/** The option that names a checkpoint on disk. */
final class ModelChoice {
    @Option(
            names = "--model",
            required = true,
            paramLabel = "MODEL",
            description = "directory with config.json and safetensors, a GGUF file, or 'tales' for the bundled model")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String model;

    /** Where it is. */
    ModelLocation location() {
        return ModelLocation.of(model);
    }

    /** Opens it. */
    Checkpoint open() throws IOException {
        return location().open();
    }
}
