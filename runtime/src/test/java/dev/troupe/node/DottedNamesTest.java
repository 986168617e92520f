package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Names of models hold dots, which are paths to the library that reads configurations. */
class DottedNamesTest {
    private static final Path MODEL = Path.of("src", "main", "models", "tales").toAbsolutePath();

    @Test
    void aModelMayHaveThemInItsName(@TempDir Path folder) throws Exception {
        Path dotted = Files.createDirectory(folder.resolve("tales-3.2-1b"));
        for (String file : List.of("config.json", "model.safetensors", "tokenizer.json")) {
            Files.createSymbolicLink(dotted.resolve(file), MODEL.resolve(file));
        }

        try (Troupe troupe = LocalTroupe.start(ModelLocation.of(dotted.toString()), 1, 1)) {
            String text = troupe.complete(TextRequest.greedy("Once upon a time", 5))
                    .toCompletableFuture()
                    .get(TestNodes.MINUTES, TimeUnit.MINUTES)
                    .text();

            assertThat(text).isNotEmpty();
        }
    }
}
