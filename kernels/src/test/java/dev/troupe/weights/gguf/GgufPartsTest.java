package dev.troupe.weights.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufPartsTest {
    @TempDir
    Path directory;

    @BeforeEach
    void threeParts() throws IOException {
        part(1, 0, 3, 3)
                .text("general.architecture", "llama")
                .floats("a", new float[] {1}, 1)
                .write(path(1));
        part(2, 1, 3, 3).floats("b", new float[] {2}, 1).write(path(2));
        part(3, 2, 3, 3).floats("c", new float[] {3}, 1).write(path(3));
    }

    private static GgufBuilder part(int number, int no, int count, int tensors) {
        GgufBuilder builder = new GgufBuilder();
        return builder.key("split.no", 2, new byte[] {(byte) no, 0})
                .key("split.count", 2, new byte[] {(byte) count, 0})
                .key("split.tensors.count", 5, builder.ints(tensors))
                .alignment(32 << number)
                .uint32("general.alignment", 32 << number);
    }

    private Path path(int number) {
        return directory.resolve("m-%05d-of-00003.gguf".formatted(number));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void opensAllPartsWhicheverIsNamed(int number) throws IOException {
        GgufParts parts = GgufParts.open(path(number));

        assertThat(parts.path()).isEqualTo(path(1));
        assertThat(parts.tensors()).extracting(WeightTensor::name).containsExactly("a", "b", "c");
        assertThat(parts.metadata().text("general.architecture")).contains("llama");
        assertThat(parts.bytes("c").get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0)).isEqualTo(3);
        assertThat(parts.find("b")).extracting(WeightTensor::file).isEqualTo(path(2).toString());
        assertThat(parts.find("d")).isNull();
    }

    @Test
    void refusesAMissingPart() throws IOException {
        Files.delete(path(2));

        refuses(path(1), "m-00001-of-00003.gguf is one of 3 parts", "there is no m-00002-of-00003.gguf");
    }

    @Test
    void refusesPartsThatContradictTheirNames() throws IOException {
        part(2, 2, 3, 3).floats("b", new float[] {2}, 1).write(path(2));
        refuses(path(1), "m-00002-of-00003.gguf", "'split.no' = 2, expected 1");

        part(2, 1, 4, 3).floats("b", new float[] {2}, 1).write(path(2));
        refuses(path(1), "m-00002-of-00003.gguf", "'split.count' = 4, expected 3");

        new GgufBuilder().floats("b", new float[] {2}, 1).write(path(2));
        refuses(path(1), "m-00002-of-00003.gguf", "'split.count' = nothing, expected 3");
    }

    @Test
    void refusesPartsThatContradictEachOther() throws IOException {
        part(2, 1, 3, 3).floats("a", new float[] {2}, 1).write(path(2));
        refuses(path(1), "m-00002-of-00003.gguf: tensor 'a' is in", "m-00001-of-00003.gguf already");

        part(2, 1, 3, 3)
                .text("general.architecture", "qwen2")
                .floats("b", new float[] {2}, 1)
                .write(path(2));
        refuses(path(1), "'general.architecture' = 'qwen2', expected 'llama' as in");

        part(2, 1, 3, 3).text("new", "x").floats("b", new float[] {2}, 1).write(path(2));
        refuses(path(1), "'new' = 'x', expected nothing as in");

        part(2, 1, 3, 4).floats("b", new float[] {2}, 1).write(path(2));
        refuses(path(1), "'split.tensors.count' = 4, expected 3");
    }

    @Test
    void refusesAPartUnderAnotherName() throws IOException {
        Path renamed = Files.move(path(1), directory.resolve("m.gguf"));
        refuses(renamed, "'split.count' = 3", "NAME-00001-of-00003.gguf");

        Path ninth = part(1, 8, 3, 3).write(directory.resolve("m-00009-of-00003.gguf"));
        refuses(ninth, "calls itself part 9 of 3");
    }

    private static void refuses(Path path, String... says) {
        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> GgufParts.open(path))
                .satisfies(e -> assertThat(e.getMessage()).contains(says));
    }
}
