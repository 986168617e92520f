package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is checked in belongs to its sources, and NVIDIA's compiler makes sound code of it, without a GPU or a driver. */
class KernelImagesTest {
    private static final Path SOURCES = Path.of("src", "main", "cuda");
    private static final Path IMAGES = Path.of("src", "main", "resources", "cuda");
    private static final Pattern SPILLED = Pattern.compile("([1-9]\\d*) bytes spill");

    /** A kernel, its registers, and its bytes of shared memory if it has any. */
    private static final Pattern USED =
            Pattern.compile("Compiling entry function '(\\w+)'[\\s\\S]*?Used (\\d+) registers"
                    + "(?:, used \\d+ barriers)?(?:, (\\d+) bytes smem)?");

    private static final String TABLE_HEAD = """
            | kernel | registers, 8.0 | bytes shared | registers, 9.0 | bytes shared |
            |---|---|---|---|---|
            """;

    @Test
    void theImagesOfEverySourceAreThere() throws IOException {
        List<String> kernels = names(SOURCES, ".cu");

        assertThat(names(IMAGES, ".ptx")).isEqualTo(kernels).isNotEmpty();
        assertThat(names(IMAGES, ".sm_90.cubin")).isEqualTo(kernels);
        assertThat(names(IMAGES, ".sha256")).isEqualTo(kernels);
    }

    @Test
    void theImagesBelongToTheSources() throws Exception {
        for (String kernel : names(SOURCES, ".cu")) {
            List<String> lines = Files.readAllLines(IMAGES.resolve(kernel + ".sha256"));

            assertThat(lines.stream().map(line -> line.split(" +", 2)[1]))
                    .containsExactly(
                            "attention.h",
                            "candidates.h",
                            "dev.h",
                            "fast_outputs.h",
                            "floats.h",
                            "hopper.h",
                            "matmul_tiles.h",
                            "packed.h",
                            "rounded.h",
                            "split.h",
                            kernel + ".cu",
                            kernel + ".ptx",
                            kernel + ".sm_90.cubin");
            for (String line : lines) {
                String[] parts = line.split(" +", 2);
                Path file =
                        Files.exists(SOURCES.resolve(parts[1])) ? SOURCES.resolve(parts[1]) : IMAGES.resolve(parts[1]);
                assertThat(hash(file))
                        .as("%s is not what %s was compiled from; src/main/cuda/build.sh compiles it", parts[1], kernel)
                        .isEqualTo(parts[0]);
            }
        }
    }

    /** Another release of nvcc may write other bytes for the same sources. */
    @Test
    void nvccOfTheSameReleaseMakesTheSameImages(@TempDir Path again) throws Exception {
        assumeTrue(onPath("nvcc"), "there is no nvcc");
        String release = run(List.of("nvcc", "--version"));
        assumeTrue(release.contains("V13.0.88"), "this nvcc is not 13.0.88, with which the images were made");

        run(List.of("sh", SOURCES.resolve("build.sh").toString(), again.toString()));

        try (Stream<Path> files = Files.list(again)) {
            for (Path file : files.toList()) {
                assertThat(file).hasSameBinaryContentAs(IMAGES.resolve(file.getFileName()));
            }
        }
        assertThat(names(again, ".ptx")).isEqualTo(names(IMAGES, ".ptx"));
    }

    @Test
    void everyPtxIsCompiledWithoutSpillsAsTheDocumentsSay(@TempDir Path temporary) throws IOException {
        assumeTrue(
                System.getProperty("os.name").equals("Linux")
                        && System.getProperty("os.arch").equals("amd64"),
                "JCuda has natives for Linux on x86-64");
        StringBuilder report = new StringBuilder();
        Map<String, String> table = new TreeMap<>();

        for (String kernel : names(IMAGES, ".ptx")) {
            byte[] ptx = Files.readAllBytes(IMAGES.resolve(kernel + ".ptx"));
            boolean only90 = kernel.endsWith("_90a");
            assertThat(new String(ptx, StandardCharsets.US_ASCII))
                    .contains("\n.version 8.0\n.target %s\n".formatted(only90 ? "sm_90a" : "sm_80"));
            for (String device : only90 ? List.of("sm_90a") : List.of("sm_80", "sm_90")) {
                String said = compile(ptx, device, temporary);
                report.append("%s for %s%n%s%n".formatted(kernel, device, said));
                Matcher used = USED.matcher(said);
                while (used.find()) {
                    String shared = used.group(3) == null ? "0" : used.group(3);
                    if (only90) {
                        table.put(used.group(1), " | |");
                    }
                    table.merge(used.group(1), " %s | %s |".formatted(used.group(2), shared), String::concat);
                }
                assertThat(said)
                        .as("%s for %s", kernel, device)
                        .contains("registers")
                        .doesNotContainPattern(SPILLED)
                        .doesNotContain("Potential Performance Loss"); // products of a warpgroup one after the other
            }
        }

        Files.createDirectories(Path.of("target"));
        Files.writeString(Path.of("target", "cuda-registers.txt"), report);
        StringBuilder lines = new StringBuilder(TABLE_HEAD);
        table.forEach((kernel, columns) -> lines.append("| %s |%s\n".formatted(kernel, columns)));
        Files.writeString(Path.of("target", "cuda-kernels.md"), lines);
        assertThat(Files.readString(Path.of("..", "docs", "gpu.md")))
                .as("docs/gpu.md ends with the table that is now in kernels/target/cuda-kernels.md")
                .endsWith("\n\n" + lines);
    }

    @Test
    void aSpillWouldBeSeen() {
        Matcher matcher = SPILLED.matcher("    8 bytes stack frame, 12 bytes spill stores, 0 bytes spill loads");

        assertThat(matcher.find()).isTrue();
        assertThat(SPILLED.matcher("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads")
                        .find())
                .isFalse();
    }

    /** What NVIDIA's compiler says about registers and spills of every kernel. */
    private static String compile(byte[] ptx, String device, Path temporary) {
        String before = System.getProperty("java.io.tmpdir");
        System.setProperty("java.io.tmpdir", temporary.toString()); // where JCuda unpacks its library
        try {
            JNvPTXCompiler.setExceptionsEnabled(false);
        } finally {
            System.setProperty("java.io.tmpdir", before);
        }
        nvPTXCompilerHandle handle = new nvPTXCompilerHandle();
        assertThat(JNvPTXCompiler.nvPTXCompilerCreate(handle, ptx.length + 1, Arrays.copyOf(ptx, ptx.length + 1)))
                .isZero();
        String[] options = {"--gpu-name=" + device, "--verbose"};
        int result = JNvPTXCompiler.nvPTXCompilerCompile(handle, options.length, options);
        long[] size = new long[1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(handle, size);
        byte[] errors = new byte[(int) size[0] + 1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLog(handle, errors);
        assertThat(result).as(new String(errors, StandardCharsets.UTF_8)).isZero();
        JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(handle, size);
        byte[] said = new byte[(int) size[0] + 1];
        JNvPTXCompiler.nvPTXCompilerGetInfoLog(handle, said);
        JNvPTXCompiler.nvPTXCompilerDestroy(handle);
        return new String(said, 0, (int) size[0], StandardCharsets.UTF_8);
    }

    /** File names of a folder with this ending, without it, ascending. */
    private static List<String> names(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(ending))
                    .map(name -> name.substring(0, name.length() - ending.length()))
                    .sorted()
                    .toList();
        }
    }

    private static String hash(Path file) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    }

    private static boolean onPath(String program) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    private static String run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
