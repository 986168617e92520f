package dev.troupe.model;

import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** Where the checkpoints of the tests lie. */
public final class Checkpoints {
    private Checkpoints() {}

    /** Names for {@link #open}: golden checkpoints, the model that comes with Troupe, and synthetic ones of several types. */
    public static Stream<String> names() {
        return Stream.concat(
                Stream.of(
                        "tales",
                        "llama",
                        "llama31-bf16-sharded",
                        "llama32-tied-f16",
                        "mistral",
                        "qwen2",
                        "qwen3",
                        "qwen3-yarn"),
                Stream.of(DType.F32, DType.BF16, DType.F16, DType.Q8_0, DType.Q4_0, DType.Q5_1)
                        .map(Checkpoints::tiny));
    }

    /** Opens one of {@link #names()}. */
    public static Checkpoint open(String name) throws IOException {
        if (name.startsWith("tiny")) {
            return SyntheticModel.named(name);
        }
        return Checkpoint.open(name.equals("tales") ? tales() : golden(name));
    }

    /** Name of a small synthetic model of a type. */
    public static String tiny(DType type) {
        return (type.blockSize() > 32 ? "tiny-256:" : "tiny:") + type.label();
    }

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
