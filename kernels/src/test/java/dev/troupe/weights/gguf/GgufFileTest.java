package dev.troupe.weights.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Checkpoints;
import dev.troupe.tensor.DType;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void findsTensorsWithSizesOutermostFirst(int version) throws IOException {
        GgufFile file = GgufFile.open(new GgufBuilder()
                .version(version)
                .text("general.architecture", "llama")
                .floats("b", new float[] {1, 2, 3, 4, 5, 6}, 3, 2)
                .floats("a", new float[] {7}, 1)
                .write(directory.resolve("a.gguf")));

        assertThat(file.tensors()).extracting(WeightTensor::name).containsExactly("b", "a");
        WeightTensor tensor = file.find("b");
        assertThat(tensor)
                .isEqualTo(new WeightTensor(
                        "b",
                        "F32",
                        DType.F32,
                        List.of(2L, 3L),
                        24,
                        directory.resolve("a.gguf").toString()));
        assertThat(file.bytes("b").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED)).containsExactly(1, 2, 3, 4, 5, 6);
        assertThat(file.bytes("a").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED)).containsExactly(7);
        assertThat(file.find("c")).isNull();
    }

    @Test
    void putsTensorsWhereTheAlignmentSays() throws IOException {
        GgufFile file = GgufFile.open(new GgufBuilder()
                .alignment(256)
                .uint32("general.alignment", 256)
                .floats("a", new float[] {1}, 1)
                .floats("b", new float[] {2}, 1)
                .write(directory.resolve("a.gguf")));

        assertThat(file.bytes("b").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED)).containsExactly(2);
    }

    @Test
    void opensAVocabularyWithoutTensors() throws IOException {
        GgufFile file = GgufFile.open(
                new GgufBuilder().texts("tokenizer.ggml.tokens", "a", "b").write(directory.resolve("a.gguf")));

        assertThat(file.tensors()).isEmpty();
        assertThat(file.metadata().texts("tokenizer.ggml.tokens")).containsExactly("a", "b");
    }

    /** Sizes were computed by another program; every tensor has 4 rows of 512. */
    @Test
    void knowsTheBlocksOfEveryType() throws IOException {
        GgufFile file = GgufFile.open(Checkpoints.shared("gguf/quants.gguf"));

        assertThat(file.tensors()).hasSize(25).allSatisfy(tensor -> {
            assertThat(tensor.shape()).containsExactly(4L, 512L);
            assertThat(tensor.name()).isEqualToIgnoringCase(tensor.typeName());
        });
        long end = 0;
        for (WeightTensor tensor : file.tensors()) {
            long begin = file.bytes(tensor.name()).address() - file.bytes("f32").address();
            assertThat(begin).isEqualTo(Math.ceilDiv(end, 32L) * 32);
            end = begin + tensor.byteSize();
        }
    }

    @ParameterizedTest
    @CsvSource({"gpt-2, 50257", "gpt-neox, 50432", "mpt, 50432", "falcon, 65024", "phi-3, 32064"})
    void readsRealVocabularies(String name, int tokens) throws IOException {
        GgufMetadata metadata = GgufFile.open(Checkpoints.shared("tokenizers/gguf/ggml-vocab-%s.gguf".formatted(name)))
                .metadata();

        assertThat(metadata.texts("tokenizer.ggml.tokens")).hasSize(tokens).doesNotContainNull();
        assertThat(metadata.integers("tokenizer.ggml.token_type").orElseThrow().size())
                .isEqualTo(tokens);
    }
}
