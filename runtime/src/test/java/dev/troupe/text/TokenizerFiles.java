package dev.troupe.text;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/** Tokenizers of the tests and what is known about them. */
public final class TokenizerFiles {
    private TokenizerFiles() {}

    /** A text and what the Hugging Face library makes of it. */
    public record Vector(
            String text, List<Integer> ids, List<Integer> idsNoSpecial, List<String> tokens, String decoded) {}

    /** Our own byte-level tokenizer of 2,048 tokens, the one of the bundled model. */
    static Tokenizer ours() throws IOException {
        return Tokenizer.load(oursFile());
    }

    /** Its {@code tokenizer.json}. */
    public static Path oursFile() {
        return root().resolve("runtime/src/main/models/tales/tokenizer.json");
    }

    public static List<Vector> oursVectors() throws IOException {
        return vectors(root().resolve("runtime/src/test/resources/tokenizers/ours2048/vectors.json"));
    }

    /** Third-party data beside the repository; skips the test where there is none. */
    public static Path shared(String name) {
        Path path = root().resolve("../shared/data").resolve(name).normalize();
        Assumptions.assumeTrue(Files.exists(path), () -> "needs third-party data at " + path);
        return path;
    }

    /** The file beside {@code file} whose name has {@code suffix} at its end. */
    public static Path sibling(Path file, String suffix) {
        return file.resolveSibling(file.getFileName() + suffix);
    }

    public static List<Vector> vectors(Path file) throws IOException {
        return new ObjectMapper()
                .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .readValue(file.toFile(), new TypeReference<>() {});
    }

    /** Tests run in their module's directory. */
    private static Path root() {
        Path here = Path.of("").toAbsolutePath();
        return Files.isDirectory(here.resolve("runtime"))
                ? here
                : here.resolve("..").normalize();
    }
}
