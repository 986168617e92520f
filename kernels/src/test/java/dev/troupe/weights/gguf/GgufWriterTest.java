package dev.troupe.weights.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.troupe.tensor.DType;
import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufWriterTest {
    @TempDir
    Path directory;

    private static MemorySegment bytes(int count) {
        MemorySegment bytes = Arena.ofAuto().allocate(count);
        for (int i = 0; i < count; i++) {
            bytes.set(ValueLayout.JAVA_BYTE, i, (byte) i);
        }
        return bytes;
    }

    private static GgufWriter writer() {
        return new GgufWriter()
                .text("text", "Grüße")
                .integer("integer", 0xffff_ffffL)
                .number("number", -0.5f)
                .flag("flag", true)
                .texts("texts", List.of("a", "", "\u2581"))
                .integers("integers", -1, 7)
                .numbers("numbers", 1.5f, 2)
                .tensor("a", DType.Q8_0, List.of(3L, 32L), () -> bytes(102))
                .tensor("b", DType.F32, List.of(2L), () -> bytes(8));
    }

    @Test
    void writesWhatTheReaderReads() throws IOException {
        Path path = directory.resolve("a.gguf");
        writer().write(path);

        GgufFile file = GgufFile.open(path);

        assertThat(file.metadata().text("text")).contains("Grüße");
        assertThat(file.metadata().integer("integer")).hasValue(0xffff_ffffL);
        assertThat(file.metadata().number("number")).hasValue(-0.5);
        assertThat(file.metadata().flag("flag")).contains(true);
        assertThat(file.metadata().texts("texts")).containsExactly("a", "", "\u2581");
        assertThat(file.metadata().integers("integers")).contains(Ints.of(-1, 7));
        assertThat(file.metadata().numbers("numbers")).containsExactly(1.5f, 2);
        assertThat(Objects.requireNonNull(file.find("a")).shape()).containsExactly(3L, 32L);
        assertThat(Objects.requireNonNull(file.find("a")).type()).isEqualTo(DType.Q8_0);
        assertThat(file.bytes("a").mismatch(bytes(102))).isEqualTo(-1);
        assertThat(file.bytes("b").mismatch(bytes(8))).isEqualTo(-1);
        try (var files = Files.list(directory)) {
            assertThat(files).as("nothing is left beside it").containsExactly(path);
        }
    }

    @Test
    void writesTheSameBytesAgain() throws IOException {
        writer().write(directory.resolve("a.gguf"));
        writer().write(directory.resolve("b.gguf"));

        assertThat(directory.resolve("b.gguf")).hasSameBinaryContentAs(directory.resolve("a.gguf"));
    }

    @Test
    void writesWhatTheBuilderOfTheTestsBuilds() throws IOException {
        new GgufWriter()
                .text("k", "v")
                .tensor("a", DType.F32, List.of(2L, 3L), () -> MemorySegment.ofArray(new byte[24]))
                .write(directory.resolve("a.gguf"));

        assertThat(Files.readAllBytes(directory.resolve("a.gguf")))
                .isEqualTo(new GgufBuilder()
                        .text("k", "v")
                        .floats("a", new float[6], 3, 2)
                        .data(8)
                        .build());
    }

    @Test
    void refusesWhatWouldNotBeRead() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> writer().text("text", "again"))
                .withMessage("key text was added before");
        assertThatIllegalArgumentException().isThrownBy(() -> writer().integer("x", -1));
        assertThatIllegalStateException()
                .isThrownBy(() -> new GgufWriter()
                        .tensor("a", DType.F32, List.of(2L), () -> bytes(7))
                        .write(directory.resolve("a.gguf")))
                .withMessageContaining("takes 8 bytes, its data have 7");
        assertThat(directory).isEmptyDirectory();
    }
}
