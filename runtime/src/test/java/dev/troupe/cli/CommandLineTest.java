package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.node.Installation;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.text.TokenizerFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class CommandLineTest {
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

    @Test
    void helpNamesEveryCommand() {
        Outcome outcome = run("--help");

        assertThat(outcome.exitCode()).isZero();
        assertThat(outcome.out())
                .contains(
                        "demo",
                        "generate",
                        "node",
                        "devices",
                        "logits",
                        "inspect",
                        "quantize",
                        "bench",
                        "bench-exchange",
                        "certs",
                        "Exit codes");
    }

    @Test
    void devicesListsTheCpuAndSaysHowManyGpusThereAre() throws IOException {
        Outcome text = run("devices");
        JsonNode json = new ObjectMapper().readTree(run("devices", "--json").out());

        assertThat(text.exitCode()).isZero();
        assertThat(text.out())
                .startsWith("cpu      ")
                .contains(json.at("/cpu/kernels").asText());
        assertThat(json.at("/cpu/cores").asInt()).isPositive();
        assertThat(json.at("/gpus").isArray()).isTrue();
        assertThat(json.has("no_gpu")).isNotEqualTo(json.has("cuda"));
    }

    @Test
    void aDeviceThatIsNotThereIsOneSentence() {
        Outcome outcome = run("generate", "--model", "tales", "--prompt", "Tom", "--device", "cuda:999");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err())
                .startsWith("troupe: troupe.device: device = cuda:999 cannot be used: ")
                .endsWith("cpu or auto works%n".formatted());
        assertThat(run("generate", "--model", "tales", "--prompt", "Tom", "--device", "gpu")
                        .err())
                .endsWith(
                        "troupe.device.kind: device = gpu does not work; these do: auto, cpu, cuda:0, cuda:1 and so on%n"
                                .formatted());
    }

    @Test
    void nodesOfTheDemoGetItsDevice() {
        Outcome outcome = run("demo", "--device", "cuda:999");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err())
                .contains("has ended before the cluster was complete; it printed:")
                .contains("troupe: troupe.device: device = cuda:999 cannot be used: ");
    }

    @Test
    void everyCommandHasExamples() {
        for (String command : List.of(
                "demo",
                "generate",
                "node",
                "logits",
                "inspect",
                "quantize",
                "bench",
                "bench-exchange",
                "certs",
                "chaos",
                "proxy")) {
            Outcome outcome = run(command, "--help");

            assertThat(outcome.exitCode()).isZero();
            assertThat(outcome.out()).contains("Examples:", "troupe " + command);
        }
    }

    @Test
    void aWrongOptionIsWrongUsage() {
        Outcome outcome = run("generate", "--model", "tales", "--prompt", "Hello", "--modle", "tales");

        assertThat(outcome.exitCode()).isEqualTo(2);
        assertThat(outcome.err()).contains("--modle");
    }

    @Test
    void aMissingModelIsOneSentence() {
        Outcome outcome = run("generate", "--model", "no/such/model", "--prompt", "Hello");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err().lines()).hasSize(1);
        assertThat(outcome.err()).contains("troupe: ", "no/such/model", "config.json");
    }

    @Test
    void aMissingConfigurationIsOneSentence() {
        Outcome outcome = run("node", "--config", "no/such.conf");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err().lines()).hasSize(1);
        assertThat(outcome.err()).contains("no/such.conf", "cluster-config");
    }

    @Test
    void aSplitThatCannotBeNamesWhatWorks() {
        Outcome outcome = run("generate", "--model", "tales", "--prompt", "Hello", "--tensor-parallel", "5");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err()).contains("tensor-parallel = 5", "4", "these work: 1 to 4");
    }

    @Test
    void inspectListsTensorsAndTheFingerprint() throws Exception {
        Outcome outcome = run("inspect", "--model", "tales", "--fingerprint", "--json");

        assertThat(outcome.exitCode()).isZero();
        JsonNode root = new ObjectMapper().readTree(outcome.out());
        assertThat(root.path("num_hidden_layers").asInt()).isEqualTo(8);
        assertThat(root.path("tensors")).isNotEmpty();
        assertThat(root.path("fingerprint").asText()).matches("[0-9a-f]{64}");
    }

    @Test
    void inspectShowsTypesAndMetadataOfAGgufFile() {
        Path file = Path.of("../../shared/data/gguf/stories260K-Q8_0.gguf");
        Assumptions.assumeTrue(Files.exists(file), () -> "needs third-party data at " + file);

        Outcome outcome = run("inspect", "--model", file.toString());

        assertThat(outcome.exitCode()).isZero();
        assertThat(outcome.out())
                .contains("5 layers, hidden 64", "Q8_0", "[64, 172]", "general.name", "array of string, 512 elements");
    }

    @Test
    void aFileThatIsNoModelIsRefused(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("no.gguf"), "x".repeat(100));

        Outcome outcome = run("inspect", "--model", file.toString());

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err()).contains("no.gguf is no GGUF file");
    }

    @Test
    void writesTheSameLogitsHoweverTheModelIsSplit(@TempDir Path directory) throws Exception {
        Path whole = directory.resolve("whole.json");
        String ids = "2046,421,430,258,393,11,396,282";
        assertThat(run("logits", "--model", "tales", "--input-ids", ids, "--greedy", "6", "--out", whole.toString())
                        .exitCode())
                .isZero();

        for (String split : List.of("1x2", "1x3", "1x4", "2x1", "2x2", "4x2")) {
            Path file = directory.resolve(split + ".json");
            Outcome outcome = run(
                    "logits",
                    "--model",
                    "tales",
                    "--input-ids",
                    ids,
                    "--greedy",
                    "6",
                    "--pipeline-parallel",
                    split.substring(0, 1),
                    "--tensor-parallel",
                    split.substring(2),
                    "--prefill-chunk",
                    "3",
                    "--out",
                    file.toString());

            assertThat(outcome.exitCode()).as(outcome.err()).isZero();
            assertThat(file).as(split).hasSameBinaryContentAs(whole);
        }
        JsonNode root = new ObjectMapper().readTree(whole.toFile());
        assertThat(root.path("logits")).hasSize(8);
        assertThat(root.path("logits").get(0)).hasSize(2048);
        assertThat(root.path("greedy_ids")).hasSize(6);
    }

    @Test
    void tellsTheStoryOfTheGoldenFile() throws Exception {
        JsonNode golden = new ObjectMapper()
                .readTree(Files.readString(Installation.bundledModel().resolve("golden.json")));

        Outcome outcome = run(
                "generate",
                "--model",
                "tales",
                "--prompt",
                golden.path("input_text").asText(),
                "--max-new-tokens",
                String.valueOf(golden.path("greedy_ids").size()),
                "--tensor-parallel",
                "2");

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        assertThat(outcome.out().strip())
                .isEqualTo((golden.path("input_text").asText()
                                + golden.path("greedy_text").asText())
                        .strip());
    }

    @Test
    void benchmarksAModelBesideTheCeiling() throws Exception {
        Outcome outcome = run(
                "bench",
                "--model",
                "tales",
                "--prompt",
                "8",
                "--generate",
                "20",
                "--sequences",
                "2",
                "--warm-up",
                "0",
                "--json");

        assertThat(outcome.exitCode()).isZero();
        JsonNode report = new ObjectMapper().readTree(outcome.out());
        assertThat(report.get("decode_tokens_per_second").asDouble()).isPositive();
        assertThat(report.get("read_ceiling_bytes_per_second").asDouble()).isGreaterThan(1e8);
        assertThat(report.get("f32_ceiling_flops_per_second").asDouble()).isGreaterThan(1e8);
        assertThat(report.get("weight_bytes_per_token").asLong()).isGreaterThan(1_000_000);
        assertThat(report.get("sequences").asInt()).isEqualTo(2);
        assertThat(report.get("decode_fraction_products").asDouble()).isBetween(0.01, 1.0);
        assertThat(report.get("decode_fraction_outside_kernels").asDouble()).isBetween(0.0, 0.99);
        assertThat(report.has("int8_ceiling_ops_per_second")).isEqualTo(NativeProducts.refusal() == null);
        assertThat(report.has("pipeline")).as("of one stage").isFalse();
    }

    @Test
    void benchmarksHowFullTheStagesAre() throws Exception {
        Outcome outcome = run(
                "bench",
                "--model",
                "tales",
                "--pipeline-parallel",
                "2",
                "--prompt",
                "8",
                "--generate",
                "20",
                "--sequences",
                "2",
                "--warm-up",
                "0",
                "--json");

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        JsonNode pipeline = new ObjectMapper().readTree(outcome.out()).path("pipeline");
        assertThat(pipeline.path("stages").asInt()).isEqualTo(2);
        assertThat(pipeline.path("steps").asInt()).as("of three runs").isBetween(3 * 20, 3 * 2 * 20);
        assertThat(pipeline.path("bubble"))
                .hasSize(2)
                .allSatisfy(bubble -> assertThat(bubble.asDouble()).isBetween(0.0, 1.0));
        double inFlight = pipeline.path("steps_in_flight_mean").asDouble();
        assertThat(pipeline.path("ideal_bubble").asDouble()).isEqualTo(PipelineStats.idealBubble(2, inFlight));
        assertThat(pipeline.path("step_tokens_mean").asDouble()).isBetween(1.0, 16.0);
    }

    @Test
    @Tag("scenarios")
    void benchmarksAnExchangeOverEveryRoad() throws Exception {
        Outcome outcome = run("bench-exchange", "--bytes", "4,8192", "--rounds", "30", "--json");

        assertThat(outcome.exitCode()).isZero();
        JsonNode rows = new ObjectMapper().readTree(outcome.out());
        assertThat(rows)
                .extracting(row -> row.get("road").asText())
                .contains("raw socket", "lane, plain", "artery, plain", "lane, TLS", "artery, TLS");
        assertThat(rows)
                .allSatisfy(row -> assertThat(row.get("median_us").asDouble()).isPositive());
    }

    @Test
    void anExchangeThatFitsNoFrameIsOneSentence() {
        Outcome outcome = run("bench-exchange", "--bytes", "1048576");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err().lines()).hasSize(1);
        assertThat(outcome.err()).contains("--bytes 1048576", "131072");
    }

    @Test
    void aGgufFileTellsTheStoryOfItsGolden() throws Exception {
        Path file = TokenizerFiles.shared("gguf/stories260K-F32.gguf");
        JsonNode golden = new ObjectMapper()
                .readTree(
                        TokenizerFiles.shared("models/stories260K/golden.json").toFile());
        String prompt = "Once upon a time, there was a";

        Outcome outcome = run("generate", "--model", file.toString(), "--prompt", prompt, "--max-new-tokens", "60");

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        assertThat(outcome.out()).startsWith(prompt + " little girl named Lily.");
        assertThat(golden.path("greedy_text").asText().strip())
                .startsWith(outcome.out().strip());
    }

    @Test
    void verifiesTheHashOfARunHoweverTheModelIsSplit() throws Exception {
        String[] unsplit = {"generate", "--model", "tales", "--prompt", "Lily", "--max-new-tokens", "12", "--json"};
        String hash =
                new ObjectMapper().readTree(run(unsplit).out()).get("hash").asText();

        Outcome equal = run(
                "generate",
                "--model",
                "tales",
                "--prompt",
                "Lily",
                "--max-new-tokens",
                "12",
                "--tensor-parallel",
                "2",
                "--show-hash",
                "--verify",
                hash);
        Outcome other =
                run("generate", "--model", "tales", "--prompt", "Lily", "--max-new-tokens", "11", "--verify", hash);

        assertThat(equal.exitCode()).isZero();
        assertThat(equal.out()).contains("Lily", "hash " + hash);
        assertThat(other.exitCode()).isEqualTo(1);
        assertThat(other.err().lines()).hasSize(1);
        assertThat(other.err()).contains("expected " + hash);
    }
}
