package dev.troupe.model.checkpoint;

import static dev.troupe.weights.SafetensorsWriter.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.weights.SafetensorsWriter;
import dev.troupe.weights.WeightFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {
    @TempDir
    Path directory;

    @Test
    void summarisesTheModelThatComesWithTroupe() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(Checkpoints.tales())) {
            CheckpointSummary summary = CheckpointSummary.of(checkpoint);

            assertThat(summary.parameters()).isEqualTo(1_837_184);
            assertThat(summary.bytes()).isEqualTo(2 * 1_837_184);
            assertThat(summary.bytesByType()).isEqualTo(Map.of("BF16", 2 * 1_837_184L));
            assertThat(summary.tensors()).hasSize(8 * 9 + 2);
            assertThat(summary.kvBytesPerToken(KvType.F16)).isEqualTo(2 * 8 * 4 * 16 * 2);
        }
    }

    @Test
    void refusesAMissingDirectory() {
        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> Checkpoint.open(directory.resolve("nowhere")))
                .withMessageContaining("nowhere is no directory");
    }

    @Test
    void namesATensorThatTheConfigurationWantsAndTheFilesLack() throws IOException {
        writeEmbedding("F32", "[4,2]", 32);

        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> Checkpoint.open(directory))
                .withMessageContaining("no tensor 'model.layers.0.input_layernorm.weight' among its 1");
    }

    @Test
    void namesATensorOfAnotherShape() throws IOException {
        writeEmbedding("F32", "[2,4]", 32);

        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> Checkpoint.open(directory))
                .withMessageContaining("'model.embed_tokens.weight' has shape [2, 4], the configuration wants [4, 2]");
    }

    @Test
    void namesATypeThatNoKernelComputesWith() throws IOException {
        writeEmbedding("F8_E4M3", "[4,2]", 8);

        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> Checkpoint.open(directory))
                .withMessageContaining("'model.embed_tokens.weight' has dtype F8_E4M3")
                .withMessageContaining("these work: F32, BF16, F16");
    }

    private void writeEmbedding(String type, String shape, int bytes) throws IOException {
        Files.writeString(
                directory.resolve("config.json"),
                "{\"model_type\":\"llama\",\"num_hidden_layers\":1,\"hidden_size\":2,\"num_attention_heads\":1,"
                        + "\"intermediate_size\":2,\"vocab_size\":4}");
        SafetensorsWriter.write(
                directory.resolve("model.safetensors"),
                "{" + entry("model.embed_tokens.weight", type, shape, "[0," + bytes + "]") + "}",
                bytes);
    }

    @Test
    void listsTheSyntheticModelsThatWork() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SyntheticModel.named("llama-3b:q8_0"))
                .withMessageContaining(
                        "shapes: tiny, tiny-256, llama-1b, llama-8b; types: f32, bf16, f16, q8_0, q4_0, ");
        assertThatIllegalArgumentException().isThrownBy(() -> SyntheticModel.named("tiny"));
        assertThatIllegalArgumentException().isThrownBy(() -> SyntheticModel.named("tiny:q4_9"));
    }

    @Test
    void givesLlama1bItsSizeWithoutMakingIt() throws IOException {
        try (Checkpoint checkpoint = SyntheticModel.named("llama-1b:q8_0")) {
            CheckpointSummary summary = CheckpointSummary.of(checkpoint);

            assertThat(summary.parameters()).isEqualTo(1_235_814_400);
            assertThat(summary.bytes()).isBetween(1_313_000_000L, 1_314_000_000L);
        }
    }
}
