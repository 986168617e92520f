package dev.troupe.node;

import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where a model is: a directory, or a synthetic one that is made in memory.
 *
 * @param text as it stands in a configuration: a path, {@code tales} for the bundled model, or
 *     {@code synthetic:SHAPE:TYPE}
 */
public record ModelLocation(String text) {
    /** What a synthetic location begins with. */
    public static final String SYNTHETIC = "synthetic:";

    public static ModelLocation of(String text) {
        return new ModelLocation(text);
    }

    /** The directory, or null for a synthetic model. */
    public @Nullable Path directory() {
        if (text.startsWith(SYNTHETIC)) {
            return null;
        }
        Path path = Path.of(text);
        return text.equals(Installation.BUNDLED_MODEL) && !Files.exists(path) ? Installation.bundledModel() : path;
    }

    /** The registered id of a model that is not named otherwise: the last part of its path. */
    public String id() {
        Path directory = directory();
        if (directory == null) {
            return text.substring(SYNTHETIC.length()).replace(':', '-');
        }
        Path name = directory.toAbsolutePath().normalize().getFileName();
        return name == null ? "model" : name.toString();
    }

    /** Opens it. */
    public Checkpoint open() throws IOException {
        Path directory = directory();
        return directory == null
                ? SyntheticModel.named(text.substring(SYNTHETIC.length()))
                : Checkpoint.open(directory);
    }
}
