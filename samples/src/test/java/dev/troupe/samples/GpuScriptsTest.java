package dev.troupe.samples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The scripts of {@code samples/gpu}, as far as they come without a GPU: a script stands for the command. */
@DisabledOnOs(OS.WINDOWS)
class GpuScriptsTest {
    private static final Path SCRIPTS = Path.of("gpu").toAbsolutePath();

    @TempDir
    @SuppressWarnings("NullAway.Init") // set by JUnit
    private Path folder;

    private record Run(int status, String out, String error) {}

    @BeforeEach
    void isInTheSamples() {
        assertThat(SCRIPTS).isDirectory();
    }

    @Test
    void sayInOneSentenceThatThereIsNoGpu() throws Exception {
        Path troupe = command("""
                echo "troupe: device = cuda:0 cannot be used: there is no NVIDIA driver" >&2
                exit 1
                """);

        Run run = run(troupe, "sh", SCRIPTS.resolve("run.sh").toString(), "cuda:0", "results");

        assertThat(run)
                .isEqualTo(new Run(1, "", "troupe: device = cuda:0 cannot be used: there is no NVIDIA driver\n"));
    }

    @Test
    void refuseADeviceThatIsNoGpu() throws Exception {
        Run run = run(command("exit 0"), "sh", SCRIPTS.resolve("run.sh").toString(), "cpu");

        assertThat(run).isEqualTo(new Run(2, "", "run.sh: cpu is no GPU; name one as cuda:0\n"));
    }

    @Test
    void endAtTheFirstStepThatFails() throws Exception {
        Path troupe = command("""
                echo "$@"
                case "$*" in
                  "selftest --device cuda:1") exit 1 ;;
                esac
                """);

        Run run = run(troupe, "sh", SCRIPTS.resolve("run.sh").toString(), "cuda:1", "results");

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.out()).isEqualTo("""

                == devices
                devices

                == selftest
                selftest --device cuda:1
                """);
        assertThat(run.error()).isEqualTo("run.sh: selftest has failed; its output is in results/selftest.txt\n");
    }

    @Test
    void runEveryStepOfAGpuThatWorks() throws Exception {
        Run run = run(command("echo \"$1\""), "sh", SCRIPTS.resolve("run.sh").toString(), "cuda:0", "results");

        assertThat(run.error()).isEmpty();
        assertThat(run.status()).isZero();
        try (Stream<Path> files = Files.list(folder.resolve("results"))) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .contains("exact.txt", "kernels-q4_0.txt", "prefill-bf16.txt", "decode-q8_0-32.txt")
                    .hasSize(4 + 3 + 3 + 6);
        }
    }

    @Test
    void seeTokensThatDiffer() throws Exception {
        Path troupe = command("""
                case "$*" in
                  *"--device cuda:0"*"--seed 11"*) echo other ;;
                  *) echo same ;;
                esac
                """);

        Run run = run(troupe, "sh", SCRIPTS.resolve("exact.sh").toString());

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.out()).isEqualTo("""
                        DIFFERENT: Once upon a time --temperature 1.2 --top-p 0.95 --seed 11
                        --- cpu
                        same
                        --- cuda:0
                        other
                        """);
    }

    @Test
    void areWholePythonAndSayWhatIsMissing() throws Exception {
        assumeTrue(run(command(""), "sh", "-c", "command -v python3").status() == 0, "there is no python3");
        for (String script : List.of("peer.py", "make_checkpoint.py")) {
            Run compiled = run(
                    command(""),
                    "python3",
                    "-c",
                    "import ast, sys; ast.parse(open(sys.argv[1]).read())",
                    SCRIPTS.resolve(script).toString());
            assertThat(compiled).isEqualTo(new Run(0, "", ""));
        }
        assumeTrue(run(command(""), "python3", "-c", "import torch").status() != 0, "there is PyTorch");

        Run run = run(command(""), "python3", SCRIPTS.resolve("peer.py").toString(), "nowhere");

        assertThat(run)
                .isEqualTo(new Run(
                        1, "", "peer.py: PyTorch is needed: https://pytorch.org/get-started, the build for CUDA\n"));
    }

    /** What stands for the command. */
    private Path command(String body) throws IOException {
        Path file = folder.resolve("troupe");
        Files.writeString(file, "#!/bin/sh\n" + body);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Run run(Path troupe, String... command) throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        Path error = folder.resolve("error");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(out.toFile())
                .redirectError(error.toFile());
        builder.environment().put("TROUPE", troupe.toString());
        int status = builder.start().waitFor();
        return new Run(
                status, Files.readString(out, StandardCharsets.UTF_8), Files.readString(error, StandardCharsets.UTF_8));
    }
}
