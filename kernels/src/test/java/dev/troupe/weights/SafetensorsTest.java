package dev.troupe.weights;

import static dev.troupe.weights.SafetensorsWriter.entry;
import static dev.troupe.weights.SafetensorsWriter.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
    @TempDir
    Path directory;

    @Test
    void givesEveryTensorItsShapeAndItsBytes() throws IOException {
        String header = "{\"__metadata__\":{\"format\":\"pt\"}," + entry("b", "BF16", "[3]", "[16,22]") + ","
                + entry("a", "F32", "[2,2]", "[0,16]") + "," + entry("i", "I64", "[]", "[22,30]") + ","
                + entry("none", "F32", "[0,5]", "[30,30]") + "}   ";
        write(directory.resolve("model.safetensors"), header, 30);

        try (Safetensors weights = Safetensors.open(directory)) {
            assertThat(weights.tensors()).extracting(WeightTensor::name).containsExactly("a", "b", "i", "none");
            WeightTensor a = weights.require("a");
            assertThat(a.shape()).containsExactly(2L, 2L);
            assertThat(a.type()).isEqualTo(DType.F32);
            assertThat(a.rowBytes()).isEqualTo(8);
            assertThat(bytes(weights.rows(a, 1, 2, Arena.global()))).containsExactly(8, 9, 10, 11, 12, 13, 14, 15);
            WeightTensor b = weights.require("b");
            assertThat(b.rows()).isEqualTo(1);
            assertThat(bytes(weights.bytes(b, Arena.global()))).containsExactly(16, 17, 18, 19, 20, 21);
            assertThat(weights.require("i").type()).isNull();
            assertThat(weights.require("i").elements()).isEqualTo(1);
            assertThat(weights.require("none").byteSize()).isZero();
        }
    }

    @Test
    void findsTensorsInTheFilesThatTheIndexNames() throws IOException {
        write(directory.resolve("model-1.safetensors"), "{" + entry("a", "F32", "[1]", "[0,4]") + "}", 4);
        write(
                directory.resolve("model-2.safetensors"),
                "{" + entry("x", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[4,8]") + "}",
                8);
        Files.writeString(
                directory.resolve("model.safetensors.index.json"),
                "{\"metadata\":{\"total_size\":8},\"weight_map\":{\"a\":\"model-1.safetensors\",\"b\":\"model-2.safetensors\"}}");

        try (Safetensors weights = Safetensors.open(directory)) {
            assertThat(weights.tensors()).extracting(WeightTensor::name).containsExactly("a", "b");
            assertThat(bytes(weights.bytes(weights.require("b"), Arena.global())))
                    .containsExactly(4, 5, 6, 7);
            assertThat(weights.find("x")).isNull();
        }
    }

    @Test
    void namesTheTensorThatIsMissing() throws IOException {
        write(directory.resolve("model.safetensors"), "{" + entry("a", "F32", "[1]", "[0,4]") + "}", 4);

        try (Safetensors weights = Safetensors.open(directory)) {
            assertThatThrownBy(() -> weights.require("model.norm.weight"))
                    .isInstanceOf(WeightFormatException.class)
                    .hasMessageContaining("no tensor 'model.norm.weight' among its 1");
        }
    }

    @Test
    void refusesRowsOutOfRangeAndTensorsOfAnotherCheckpoint() throws IOException {
        write(directory.resolve("model.safetensors"), "{" + entry("a", "F32", "[2,1]", "[0,8]") + "}", 8);

        try (Safetensors weights = Safetensors.open(directory)) {
            WeightTensor a = weights.require("a");
            WeightTensor foreign = new WeightTensor("a", "F32", DType.F32, List.of(1L << 40), 1L << 42, "other");

            assertThatThrownBy(() -> weights.rows(a, 1, 3, Arena.global()))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatIllegalArgumentException().isThrownBy(() -> weights.rows(foreign, 0, 1, Arena.global()));
        }
    }

    private static byte[] bytes(MemorySegment segment) {
        return segment.toArray(ValueLayout.JAVA_BYTE);
    }
}
