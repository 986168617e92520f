package dev.troupe.samples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A story goes on when the network between nodes breaks. Runs the script that people use; it needs root, Linux and iptables, and
 * is skipped with the reason where one is missing.
 */
@Tag("namespaces")
class NamespacesTest {
    private static final int CANNOT = 4;
    private static final int PATIENCE_MINUTES = 15;

    @ParameterizedTest
    @ValueSource(strings = {"short", "partition", "half", "one-way", "flapping", "slow"})
    void aStoryDoesNotChangeWhenTheNetworkBreaks(String fault, @TempDir Path directory) throws Exception {
        Path output = directory.resolve("output");
        ProcessBuilder builder = new ProcessBuilder("../samples/chaos/namespaces.sh", fault);
        builder.environment().put("TROUPE", launcher(directory).toString());
        builder.redirectErrorStream(true).redirectOutput(output.toFile());
        Process process = builder.start();
        try {
            assertThat(process.waitFor(PATIENCE_MINUTES, TimeUnit.MINUTES))
                    .as(Files.readString(output))
                    .isTrue();
        } finally {
            process.destroy(); // it ends its nodes and removes its namespaces
        }

        String said = Files.readString(output);
        assumeTrue(process.exitValue() != CANNOT, said.strip());
        assertThat(process.exitValue()).as(said).isZero();
        assertThat(said).contains("VERDICT: identical");
    }

    /** Starts Troupe from the classes of this test: the launcher at the top could begin to build in the middle of a build. */
    private static Path launcher(Path directory) throws IOException {
        Path home = Path.of("..").toAbsolutePath().normalize();
        Path script = directory.resolve("troupe");
        Files.writeString(
                script,
                """
                #!/bin/sh
                exec "%s" "@%s" "-Dtroupe.home=%s" -cp "%s" dev.troupe.cli.Main "$@"
                """.formatted(
                                Path.of(System.getProperty("java.home"), "bin", "java"),
                                home.resolve("runtime/src/main/jvm/java.options"),
                                home,
                                System.getProperty("java.class.path")),
                StandardCharsets.UTF_8);
        return Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    }
}
