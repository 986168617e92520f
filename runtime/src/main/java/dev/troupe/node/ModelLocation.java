package dev.troupe.node;

import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where a model is: a directory, a GGUF file, or nowhere for a synthetic one that is made in memory.
 *
 * @param text as it stands in a configuration: a path, {@code tales} for the bundled model, or
 *     {@code synthetic:SHAPE:TYPE}
 */
public record ModelLocation(String text) {
    /** What a synthetic location begins with. */
    public static final String SYNTHETIC = "synthetic:";

    private static final Pattern GGUF_ENDING = Pattern.compile("(-\\d{5}-of-\\d{5})?\\.gguf$");

    public static ModelLocation of(String text) {
        return new ModelLocation(text);
    }

    /** The directory or the GGUF file, or null for a synthetic model. */
    public @Nullable Path path() {
        if (text.startsWith(SYNTHETIC)) {
            return null;
        }
        Path path = Path.of(text);
        return text.equals(Installation.BUNDLED_MODEL) && !Files.exists(path) ? Installation.bundledModel() : path;
    }

    /**
     * The registered id of a model that is not named otherwise: the last part of its path, of a GGUF file without what
     * says the format and the part.
     */
    public String id() {
        Path path = path();
        if (path == null) {
            return text.substring(SYNTHETIC.length()).replace(':', '-');
        }
        Path name = path.toAbsolutePath().normalize().getFileName();
        return name == null ? "model" : GGUF_ENDING.matcher(name.toString()).replaceFirst("");
    }

    /** Opens it. */
    public Checkpoint open() throws IOException {
        Path path = path();
        return path == null ? SyntheticModel.named(text.substring(SYNTHETIC.length())) : Checkpoint.open(path);
    }
}
