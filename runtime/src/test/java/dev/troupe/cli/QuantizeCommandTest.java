package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.node.Installation;
import dev.troupe.tensor.DType;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.TokenizerFiles;
import dev.troupe.text.gguf.GgufTokenizer;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class QuantizeCommandTest {
    private static final Path GOLDEN = Path.of("../kernels/src/test/resources/golden");

    @TempDir
    Path directory;

    private record Outcome(int exitCode, String out, String err) {}

    @BeforeAll
    static void runsFromTheRepository() {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
    }

    private static Outcome run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine commandLine =
                Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        int exitCode = commandLine.execute(arguments);
        return new Outcome(exitCode, out.toString(), err.toString());
    }

    private static Outcome quantize(String model, String type, Path out, String... more) {
        return run(Stream.concat(
                        Stream.of("quantize", "--model", model, "--type", type, "--out", out.toString()),
                        Stream.of(more))
                .toArray(String[]::new));
    }

    @Test
    void theBundledModelIsTheSameModelWithFewerBits() throws IOException {
        Path file = directory.resolve("tales.gguf");

        Outcome outcome = quantize("tales", "q8_0", file);

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        assertThat(outcome.out()).contains("3.7 MB of weights became 2.0 MB", "tales.gguf has 2.0 MB and took");
        Tokenizer exact = Tokenizer.load(TokenizerFiles.oursFile());
        try (Checkpoint tales = Checkpoint.open(Installation.bundledModel());
                Checkpoint rounded = Checkpoint.open(file)) {
            Tokenizer tokenizer =
                    GgufTokenizer.of(Objects.requireNonNull(rounded.metadata())).orElseThrow();
            assertThat(rounded.config()).isEqualTo(tales.config());
            for (String text :
                    List.of("Once upon a time", "", " Lily's  ball\n", "wörld \ud83d\ude80 <|end|>", "1234")) {
                assertThat(tokenizer.encode(text)).as(text).isEqualTo(exact.encode(text));
            }
        }
        assertThat(run("inspect", "--model", file.toString()).out())
                .contains("Q8_0", "general.quantization_version", "tokenizer.ggml.merges", "tokenizer.chat_template");
        assertThat(run("generate", "--model", file.toString(), "--prompt", "Once upon a time", "--max-new-tokens", "8")
                        .out())
                .startsWith("Once upon a time, there was a little girl");
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3"})
    void aDirectoryWithoutTokenizerKeepsItsConfiguration(String name) throws IOException {
        Path file = directory.resolve("rounded.gguf");

        Outcome outcome = quantize(GOLDEN.resolve(name).toString(), "Q4_0", file);

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        assertThat(outcome.out()).contains("has no tokenizer.json, so the file has no vocabulary");
        assertThat(outcome.out())
                .contains(
                        name.equals("qwen2")
                                ? "the embedding table, which is the output matrix too, is q8_0"
                                : "the embedding table and the output matrix are q8_0");
        try (Checkpoint original = Checkpoint.open(GOLDEN.resolve(name));
                Checkpoint rounded = Checkpoint.open(file)) {
            assertThat(rounded.config()).isEqualTo(original.config());
            assertThat(rounded.matrixTypes()).containsExactlyInAnyOrder(DType.Q4_0, DType.Q8_0);
        }
    }

    /** Another program made the file that is compared with; a matrix of 172 columns is f32 there too. */
    @ParameterizedTest
    @ValueSource(strings = {"models/stories260K", "gguf/stories260K-F32.gguf"})
    void theTensorsAreThoseOfAFileThatAnotherProgramRounded(String model) throws IOException {
        Path file = directory.resolve("stories.gguf");
        GgufFile expected = GgufFile.open(TokenizerFiles.shared("gguf/stories260K-Q8_0.gguf"));

        Outcome outcome = quantize(TokenizerFiles.shared(model).toString(), "q8_0", file);

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        assertThat(outcome.out()).contains("5 matrices of 172 columns stay f32: 172 is no multiple of 32");
        GgufFile rounded = GgufFile.open(file);
        assertThat(rounded.tensors()).hasSameSizeAs(expected.tensors());
        for (WeightTensor tensor : expected.tensors()) {
            assertThat(Objects.requireNonNull(rounded.find(tensor.name())).type())
                    .isEqualTo(tensor.type());
            assertThat(rounded.bytes(tensor.name()).mismatch(expected.bytes(tensor.name())))
                    .as(tensor.name())
                    .isEqualTo(-1);
        }
    }

    @Test
    void theSameCommandGivesTheSameBytesAndForceWritesOver() throws IOException {
        Path first = directory.resolve("a.gguf");
        Path second = Files.writeString(directory.resolve("b.gguf"), "something");

        quantize("tales", "q4_0", first);
        Outcome refused = quantize("tales", "q4_0", second);
        assertThat(second).hasContent("something");
        Outcome forced = quantize("tales", "q4_0", second, "--force");

        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.err()).contains("b.gguf is there: --force writes over it");
        assertThat(forced.exitCode()).isZero();
        assertThat(second).hasSameBinaryContentAs(first);
    }

    @Test
    void aWrongTypeIsWrongUsageAndNamesThoseThatWork() {
        Outcome outcome = quantize("tales", "q5_0", directory.resolve("a.gguf"));

        assertThat(outcome.exitCode()).isEqualTo(2);
        assertThat(outcome.err()).contains("--type", "Q8_0, Q4_0, Q4_K", "q5_0");
    }

    static Stream<Arguments> failures() {
        return Stream.of(
                Arguments.of("no/such/model", "q8_0", "a.gguf", "no/such/model"),
                Arguments.of("tales", "q8_0", "no/such/a.gguf", "there is no directory"),
                Arguments.of("tales", "q8_0", ".", "is a directory; name a file in it"),
                Arguments.of("tales", "q8_0", "a-00001-of-00002.gguf", "stands for one part of a split file"),
                Arguments.of(
                        "tales", "q4_k", "a.gguf", "has no matrix to round to q4_k, whose blocks have 256 columns"),
                Arguments.of("synthetic:tiny:q8_0", "q4_0", "a.gguf", "is q8_0 already"));
    }

    @ParameterizedTest(name = "{3}")
    @MethodSource("failures")
    void whatCannotBeDoneIsOneSentenceAndWritesNothing(String model, String type, String out, String says)
            throws IOException {
        Outcome outcome = quantize(model, type, directory.resolve(out));

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err().lines()).hasSize(1);
        assertThat(outcome.err()).startsWith("troupe: ").contains(says);
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void anUnknownWayToCutTextsIsOneSentenceAndWritesNothing() throws IOException {
        Path model = Files.createDirectory(directory.resolve("model"));
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(Installation.bundledModel().resolve(name), model.resolve(name));
        }
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode tokenizer =
                (ObjectNode) mapper.readTree(TokenizerFiles.oursFile().toFile());
        tokenizer.putObject("normalizer").put("type", "Lowercase");
        mapper.writeValue(model.resolve("tokenizer.json").toFile(), tokenizer);

        Outcome outcome = quantize(model.toString(), "q8_0", directory.resolve("a.gguf"));

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err().lines()).hasSize(1);
        assertThat(outcome.err()).contains("tokenizer.json: how it cuts texts into words", "qwen2");
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files).containsExactly(model);
        }
    }

    @Test
    void theModelItselfIsNotWrittenOver() throws IOException {
        Path file = directory.resolve("a.gguf");
        quantize("tales", "q8_0", file);
        byte[] before = Files.readAllBytes(file);

        Outcome outcome = quantize(file.toString(), "q4_0", file, "--force");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err()).contains("is the model itself; name another file");
        assertThat(file).hasBinaryContent(before);
    }
}
