package dev.troupe.model;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Where the checkpoints of the tests lie. */
public final class Checkpoints {
    private Checkpoints() {}

    /** One of the small random checkpoints among the test resources. */
    public static Path golden(String name) {
        return root().resolve("kernels/src/test/resources/golden").resolve(name);
    }

    /** The model that comes with Troupe. */
    public static Path tales() {
        return root().resolve("runtime/src/main/models/tales");
    }

    /** Third-party data beside the repository; skips the test where there is none. */
    public static Path shared(String name) {
        Path path = root().resolve("../shared/data").resolve(name).normalize();
        Assumptions.assumeTrue(Files.exists(path), () -> "needs third-party data at " + path);
        return path;
    }

    /** Tests run in their module's directory. */
    private static Path root() {
        Path here = Path.of("").toAbsolutePath();
        return Files.isDirectory(here.resolve("kernels"))
                ? here
                : here.resolve("..").normalize();
    }
}
