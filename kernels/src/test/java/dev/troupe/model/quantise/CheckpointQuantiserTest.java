package dev.troupe.model.quantise;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.model.Checkpoints;
import dev.troupe.model.DecoderTensors;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.model.decoder.ChangedWeights;
import dev.troupe.model.gguf.GgufCopy;
import dev.troupe.tensor.DType;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointQuantiserTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"tales", "llama", "qwen2", "qwen3", "qwen3-yarn", "tiny:f16"})
    void theFileHasTheConfigurationOfTheCheckpoint(String name) throws IOException {
        try (Checkpoint original = Checkpoints.open(name);
                Checkpoint rounded = rounded(original, RoundedType.Q8_0)) {

            assertThat(rounded.config()).isEqualTo(original.config());
        }
    }

    @Test
    void mistralIsALlamaWithAWindow() throws IOException {
        try (Checkpoint original = Checkpoints.open("mistral");
                Checkpoint rounded = rounded(original, RoundedType.Q8_0)) {

            assertThat(rounded.config().modelType()).isEqualTo("llama");
            assertThat(rounded.config().slidingWindow()).isEqualTo(8);
            assertThat(rounded.config().windowLayers())
                    .isEqualTo(original.config().windowLayers());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "tales,Q8_0",
        "tales,Q4_0",
        "llama,Q8_0",
        "llama,Q4_0",
        "llama31-bf16-sharded,Q8_0",
        "llama32-tied-f16,Q8_0",
        "mistral,Q4_0",
        "qwen2,Q8_0",
        "qwen2,Q4_0",
        "qwen3,Q8_0",
        "tiny-256:bf16,Q4_K"
    })
    void everyTensorStandsForTheRoundedValuesOfItsRows(String name, RoundedType type) throws IOException {
        try (Checkpoint original = Checkpoints.open(name);
                Checkpoint rounded = rounded(original, type)) {
            for (DecoderTensors.Expected expected : DecoderTensors.all(original.config())) {
                WeightTensor before = original.weights().require(expected.name());
                WeightTensor after = rounded.weights().require(expected.name());
                DType stored = Objects.requireNonNull(after.type());

                assertThat(stored).as(expected.name()).isEqualTo(wanted(expected, type));
                for (long row = 0; row < before.rows(); row++) {
                    assertThat(RoundedFiles.row(rounded.weights(), after, row))
                            .as("%s row %d", expected.name(), row)
                            .isEqualTo(RoundedFiles.rounded(stored, RoundedFiles.row(original.weights(), before, row)));
                }
            }
        }
    }

    private static DType wanted(DecoderTensors.Expected tensor, RoundedType type) {
        if (!tensor.isMatrix()) {
            return DType.F32;
        }
        boolean vocabulary =
                Set.of(DecoderTensors.EMBEDDING, DecoderTensors.HEAD).contains(tensor.name());
        return vocabulary ? DType.Q8_0 : type.type();
    }

    @Test
    void biasesOfQueriesAndKeysTurnWithTheirRows() throws IOException {
        try (Checkpoint original = SyntheticModel.random(biased(), DType.F16, "biases", 5);
                Checkpoint rounded = rounded(original, RoundedType.Q4_0)) {
            WeightTensor bias = rounded.weights().require("model.layers.1.self_attn.k_proj.bias");

            assertThat(rounded.config()).isEqualTo(original.config());
            assertThat(RoundedFiles.row(rounded.weights(), bias, 0))
                    .isEqualTo(RoundedFiles.row(
                            original.weights(), original.weights().require(bias.name()), 0));
        }
    }

    private static ModelConfig biased() {
        return new ModelConfig(
                "llama",
                2,
                64,
                96,
                6,
                2,
                8,
                300,
                64,
                1e-6f,
                new RopeConfig(500, new RopeConfig.Linear(3)),
                5,
                List.of(true, true),
                false,
                true,
                true,
                true,
                false,
                null,
                List.of(7));
    }

    @Test
    void theSameCheckpointGivesTheSameBytes() throws IOException {
        try (Checkpoint tales = Checkpoints.open("tales")) {
            Path first = RoundedFiles.write(tales, RoundedType.Q4_0, directory.resolve("a.gguf"));
            Path second = RoundedFiles.write(tales, RoundedType.Q4_0, directory.resolve("b.gguf"));

            assertThat(second).hasSameBinaryContentAs(first);
            try (var files = Files.list(directory)) {
                assertThat(files).containsExactlyInAnyOrder(first, second);
            }
        }
    }

    @Test
    void aGgufFileGivesTheTensorsOfTheCheckpointItWasMadeFromAndKeepsItsKeys() throws IOException {
        try (Checkpoint original = Checkpoints.open("llama31-bf16-sharded");
                Checkpoint gguf = Checkpoint.open(GgufCopy.write(
                        original,
                        directory.resolve("exact.gguf"),
                        writer -> writer.text("general.name", "A name")
                                .texts("tokenizer.ggml.tokens", Collections.nCopies(256, "x"))
                                .integer("general.file_type", 1)
                                .integer("general.alignment", 32)
                                .text("quantize.imatrix.file", "none")
                                .flag("tokenizer.ggml.add_bos_token", false),
                        tensor -> true));
                Checkpoint direct = rounded(original, RoundedType.Q8_0);
                Checkpoint rounded = Checkpoint.open(
                        RoundedFiles.write(gguf, RoundedType.Q8_0, directory.resolve("rounded.gguf")))) {
            GgufMetadata before = Objects.requireNonNull(gguf.metadata());
            GgufMetadata after = Objects.requireNonNull(rounded.metadata());
            Set<String> kept = new TreeSet<>(before.keys());
            kept.removeAll(Set.of("general.file_type", "general.alignment", "quantize.imatrix.file"));

            assertThat(rounded.config()).isEqualTo(gguf.config());
            assertThat(kept)
                    .allSatisfy(key -> assertThat(after.stored(key).mismatch(before.stored(key)))
                            .isEqualTo(-1));
            assertThat(after.keys()).hasSize(kept.size() + 2);
            assertThat(after.integer("general.file_type")).hasValue(7);
            assertThat(after.integer("general.quantization_version")).hasValue(2);
            for (WeightTensor tensor : direct.weights().tensors()) {
                WeightTensor other = rounded.weights().require(tensor.name());
                for (long row = 0; row < tensor.rows(); row++) {
                    assertThat(RoundedFiles.row(rounded.weights(), other, row))
                            .as(tensor.name())
                            .isEqualTo(RoundedFiles.row(direct.weights(), tensor, row));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "model.layers.1.self_attn.k_proj.weight,5,17,NaN,expected a finite number",
        "model.layers.0.mlp.down_proj.weight,63,95,-Infinity,expected a finite number",
        "model.layers.1.mlp.up_proj.weight,9,3,1.0E9,too large for the f16 scale of q8_0",
        "model.norm.weight,0,9,NaN,expected a finite number"
    })
    void refusesAValueThatNoBlockHoldsAndWritesNothing(String name, int row, int column, float value, String why)
            throws IOException {
        try (Checkpoint llama = Checkpoints.open("llama")) {
            WeightTensor tensor = llama.weights().require(name);
            Checkpoint broken = new Checkpoint(
                    "broken",
                    null,
                    llama.config(),
                    new ChangedWeights(
                            llama.weights(),
                            name,
                            bytes -> bytes.set(
                                    ValueLayout.JAVA_FLOAT_UNALIGNED, row * tensor.rowBytes() + 4L * column, value)));

            assertThatExceptionOfType(WeightFormatException.class)
                    .isThrownBy(() -> rounded(broken, RoundedType.Q8_0))
                    .withMessageContaining(
                            "tensor '%s' has %s at row %d, column %d, %s", name, value, row, column, why);
            try (var files = Files.list(directory)) {
                assertThat(files).isEmpty();
            }
        }
    }

    @Test
    void namesTheFirstOfManyBrokenValues() throws IOException {
        try (Checkpoint tales = Checkpoint.open(Checkpoints.tales())) {
            Checkpoint broken = new Checkpoint(
                    "broken",
                    null,
                    tales.config(),
                    new ChangedWeights(tales.weights(), DecoderTensors.EMBEDDING, bytes -> {
                        for (int row = 1021; row < 2048; row++) {
                            bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, row * 256L, (short) 0x7fc0);
                        }
                    }));

            for (int attempt = 0; attempt < 5; attempt++) {
                assertThatExceptionOfType(WeightFormatException.class)
                        .isThrownBy(() -> rounded(broken, RoundedType.Q8_0))
                        .withMessageContaining("NaN at row 1021, column 0");
            }
        }
    }

    @Test
    void saysWhatGetsAnotherType() throws IOException {
        try (Checkpoint tales = Checkpoint.open(Checkpoints.tales());
                Checkpoint wide = SyntheticModel.random(widths(256, 172), DType.F32, "wide", 1);
                Checkpoint narrow = SyntheticModel.random(widths(256, 96), DType.BF16, "narrow", 1)) {

            assertThat(CheckpointQuantiser.of(tales, RoundedType.Q8_0).remarks())
                    .isEmpty();
            assertThat(CheckpointQuantiser.of(tales, RoundedType.Q4_0).remarks())
                    .containsExactly("the embedding table, which is the output matrix too, is q8_0");
            assertThat(CheckpointQuantiser.of(wide, RoundedType.Q8_0).remarks())
                    .containsExactly("2 matrices of 172 columns stay f32: 172 is no multiple of 32");
            assertThat(CheckpointQuantiser.of(narrow, RoundedType.Q4_K).remarks())
                    .containsExactly(
                            "the embedding table and the output matrix are q8_0",
                            "2 matrices of 96 columns are q8_0: 96 is no multiple of 256");
            Checkpoint rounded = rounded(wide, RoundedType.Q8_0);
            assertThat(rounded.weights()
                            .require("model.layers.1.mlp.down_proj.weight")
                            .type())
                    .isEqualTo(DType.F32);
        }
    }

    private static ModelConfig widths(int hidden, int inner) {
        return new ModelConfig(
                "llama",
                2,
                hidden,
                inner,
                8,
                4,
                32,
                300,
                64,
                1e-6f,
                new RopeConfig(10_000, new RopeConfig.None()),
                0,
                List.of(false, false),
                false,
                false,
                false,
                false,
                false,
                1,
                List.of(2));
    }

    @Test
    void refusesWhatWouldBeOfAnotherTypeAltogether() throws IOException {
        try (Checkpoint tales = Checkpoint.open(Checkpoints.tales());
                Checkpoint before = SyntheticModel.named("tiny:q4_0")) {

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> CheckpointQuantiser.of(tales, RoundedType.Q4_K))
                    .withMessageEndingWith(
                            "tales has no matrix to round to q4_k, whose blocks have 256 columns: those of its layers have 128, 384; these types work: q8_0, q4_0");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> CheckpointQuantiser.of(before, RoundedType.Q8_0))
                    .withMessageContaining("is q4_0 already", "start from f32, bf16 or f16");
        }
    }

    private Checkpoint rounded(Checkpoint checkpoint, RoundedType type) throws IOException {
        return Checkpoint.open(RoundedFiles.write(checkpoint, type, directory.resolve("direct.gguf")));
    }
}
