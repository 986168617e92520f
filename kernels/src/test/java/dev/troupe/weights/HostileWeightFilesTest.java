package dev.troupe.weights;

import static dev.troupe.weights.SafetensorsWriter.entry;
import static dev.troupe.weights.SafetensorsWriter.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class HostileWeightFilesTest {
    private static final String GOOD = "{" + entry("a", "F32", "[2,2]", "[0,16]") + "}";

    /** A bad checkpoint: how to make it in a directory, and what the message must say. */
    record Bad(String what, Recipe recipe, List<String> says) {
        @Override
        public String toString() {
            return what;
        }
    }

    /** Writes files into a directory. */
    interface Recipe {
        void cook(Path directory) throws IOException;
    }

    @ParameterizedTest
    @MethodSource("badCheckpoints")
    void refusesABadCheckpointWithAMessageThatHelps(Bad bad, @TempDir Path directory) throws IOException {
        bad.recipe().cook(directory);

        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> Safetensors.open(directory))
                .satisfies(e -> assertThat(e.getMessage()).contains(bad.says()).hasSizeLessThan(800));
    }

    static Stream<Bad> badCheckpoints() {
        List<Bad> all = new ArrayList<>();
        all.addAll(lyingHeaderLengths());
        all.addAll(brokenJson());
        all.addAll(brokenEntries());
        all.addAll(lyingSizes());
        all.addAll(lyingLayouts());
        all.addAll(brokenIndexes());
        assertThat(all).hasSizeGreaterThanOrEqualTo(60);
        return all.stream();
    }

    private static List<Bad> lyingHeaderLengths() {
        byte[] good = GOOD.getBytes(StandardCharsets.UTF_8);
        return List.of(
                new Bad("no files", directory -> {}, List.of("holds no weights", "model.safetensors")),
                raw("empty file", new byte[0], "has 0 bytes", "too few"),
                raw("seven bytes", new byte[7], "has 7 bytes", "too few"),
                length("header length 0", 0, good, "0 bytes", "follow"),
                length("header length 1", 1, good, "1 bytes", "follow"),
                length("header longer than the file", 1000, good, "1000 bytes", "follow"),
                length("header one byte too long", good.length + 17, good, "bytes follow"),
                length("header length with the sign bit", Long.MIN_VALUE, good, "9223372036854775808"),
                length("header length -1", -1, good, "18446744073709551615"),
                length("header length that wraps with its own 8 bytes", -8, good, "18446744073709551608"),
                length("header cut in a number", good.length - 3, good, "not valid JSON"),
                new Bad(
                        "header beyond the limit",
                        HostileWeightFilesTest::writeHugeHeader,
                        List.of("100000001", "at most")));
    }

    /** A sparse file, so that the test writes no 100 MB. */
    private static void writeHugeHeader(Path directory) throws IOException {
        Path file = directory.resolve("model.safetensors");
        write(file, SafetensorsHeader.MAX_BYTES + 1, "{".getBytes(StandardCharsets.UTF_8), 0);
        try (var channel = Files.newByteChannel(file, java.nio.file.StandardOpenOption.WRITE)) {
            channel.position(8 + SafetensorsHeader.MAX_BYTES + 1).write(java.nio.ByteBuffer.wrap(new byte[1]));
        }
    }

    private static List<Bad> brokenJson() {
        byte[] utf16 = GOOD.getBytes(StandardCharsets.UTF_16LE);
        byte[] notUtf8 = "{\"\u00ff\":1}".getBytes(StandardCharsets.ISO_8859_1);
        return List.of(
                header("an array", "[1,2]", 0, "opening brace"),
                header("leading blank", " " + GOOD, 16, "opening brace", "0x20"),
                header("no end", GOOD.substring(0, GOOD.length() - 1), 16, "not valid JSON"),
                header("two objects", GOOD + "{}", 16, "goes on after"),
                header("rubbish at the end", GOOD + "x", 16, "not valid JSON"),
                header("comment", "{/* */" + GOOD.substring(1), 16, "not valid JSON"),
                header("single quotes", GOOD.replace('"', '\''), 16, "not valid JSON"),
                header("trailing comma", GOOD.substring(0, GOOD.length() - 1) + ",}", 16, "not valid JSON"),
                header("raw newline in a name", "{" + entry("a\nb", "F32", "[]", "[0,4]") + "}", 4, "not valid JSON"),
                length("utf-16", utf16.length, utf16, "not valid JSON"),
                length("latin-1", notUtf8.length, notUtf8, "not UTF-8"),
                header("nested without end", "{\"a\":" + "[".repeat(100_000), 0, "'a'", "expected an object"),
                header(
                        "duplicate tensor",
                        "{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("a", "F32", "[1]", "[4,8]") + "}",
                        8,
                        "uplicate",
                        "'a'"),
                header(
                        "duplicate tensor, one escaped",
                        "{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("\\u0061", "F32", "[1]", "[4,8]") + "}",
                        8,
                        "uplicate"),
                header(
                        "duplicate key of a tensor",
                        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[2],\"data_offsets\":[0,4]}}",
                        4,
                        "uplicate",
                        "shape"),
                header("metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "uplicate"),
                header("metadata is a list", "{\"__metadata__\":[]}", 0, "__metadata__"),
                header("metadata with a number", "{\"__metadata__\":{\"format\":1}}", 0, "__metadata__", "'format'"));
    }

    private static List<Bad> brokenEntries() {
        return List.of(
                header("tensor is a number", "{\"a\":7}", 0, "'a'", "expected an object"),
                header("tensor is null", "{\"a\":null}", 0, "'a'", "expected an object"),
                header("no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'a'", "lacks its dtype"),
                header("no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "'a'", "lacks its shape"),
                header("no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "'a'", "lacks its data_offsets"),
                header(
                        "unknown key",
                        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}",
                        4,
                        "'a'",
                        "'x'"),
                header(
                        "dtype is a number",
                        "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}",
                        4,
                        "'a'",
                        "dtype"),
                header("unknown dtype", "{" + entry("a", "F31", "[1]", "[0,4]") + "}", 4, "'a'", "'F31'"),
                header("dtype in lower case", "{" + entry("a", "f32", "[1]", "[0,4]") + "}", 4, "'a'", "'f32'"),
                header(
                        "dtype without end",
                        "{" + entry("a", "F".repeat(5000), "[1]", "[0,4]") + "}",
                        4,
                        "'a'",
                        "FFFF…"),
                header(
                        "shape is a number",
                        "{" + entry("a", "F32", "1", "[0,4]") + "}",
                        4,
                        "'a'",
                        "shape that is no array"),
                header(
                        "shape with a string",
                        "{" + entry("a", "F32", "[\"1\"]", "[0,4]") + "}",
                        4,
                        "'a'",
                        "no integer"),
                header(
                        "shape with a fraction",
                        "{" + entry("a", "F32", "[1.0]", "[0,4]") + "}",
                        4,
                        "'a'",
                        "no integer"),
                header(
                        "shape with an exponent",
                        "{" + entry("a", "F32", "[1e0]", "[0,4]") + "}",
                        4,
                        "'a'",
                        "no integer"),
                header("nested shape", "{" + entry("a", "F32", "[[1]]", "[0,4]") + "}", 4, "'a'", "no integer"),
                header("negative size", "{" + entry("a", "F32", "[-1]", "[0,4]") + "}", 4, "'a'", "'-1'"),
                header(
                        "size beyond 64 bits",
                        "{" + entry("a", "F32", "[18446744073709551617]", "[0,4]") + "}",
                        4,
                        "'a'",
                        "18446744073709551617"),
                header(
                        "size of 2000 digits",
                        "{" + entry("a", "F32", "[" + "9".repeat(2000) + "]", "[0,4]") + "}",
                        4,
                        "not valid JSON"),
                header(
                        "17 dimensions",
                        "{" + entry("a", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]") + "}",
                        4,
                        "'a'",
                        "more than 16"),
                header(
                        "control characters in a name",
                        "{" + entry("a\\u001b[2J\\u202e", "F31", "[1]", "[0,4]") + "}",
                        4,
                        "'a\\u001b[2J\\u202e'"));
    }

    private static List<Bad> lyingSizes() {
        return List.of(
                header("three offsets", "{" + entry("a", "F32", "[1]", "[0,4,8]") + "}", 4, "'a'", "3 elements"),
                header("one offset", "{" + entry("a", "F32", "[1]", "[0]") + "}", 4, "'a'", "1 elements"),
                header("negative offset", "{" + entry("a", "F32", "[1]", "[-4,0]") + "}", 4, "'a'", "'-4'"),
                header(
                        "offset beyond 64 bits",
                        "{" + entry("a", "F32", "[1]", "[0,9223372036854775808]") + "}",
                        4,
                        "'a'",
                        "9223372036854775808"),
                header(
                        "end before begin",
                        "{" + entry("a", "F32", "[1]", "[4,0]") + "}",
                        4,
                        "'a'",
                        "ends at 0",
                        "begin at 4"),
                header(
                        "end beyond the file",
                        "{" + entry("a", "F32", "[2]", "[0,8]") + "}",
                        7,
                        "'a'",
                        "0 to 8",
                        "only 7 bytes"),
                header(
                        "end far beyond the file",
                        "{" + entry("a", "U8", "[9223372036854775807]", "[0,9223372036854775807]") + "}",
                        8,
                        "'a'",
                        "only 8 bytes"),
                header(
                        "shape larger than the range",
                        "{" + entry("a", "F32", "[3]", "[0,8]") + "}",
                        8,
                        "'a'",
                        "takes 12 bytes",
                        "span 8"),
                header(
                        "shape smaller than the range",
                        "{" + entry("a", "BF16", "[3]", "[0,8]") + "}",
                        8,
                        "'a'",
                        "takes 6 bytes",
                        "span 8"),
                header(
                        "dtype of another width",
                        "{" + entry("a", "F16", "[2]", "[0,8]") + "}",
                        8,
                        "'a'",
                        "takes 4 bytes",
                        "span 8"),
                header(
                        "size 0 with bytes",
                        "{" + entry("a", "F32", "[0,7]", "[0,8]") + "}",
                        8,
                        "'a'",
                        "takes 0 bytes",
                        "span 8"),
                header(
                        "product wraps to the right size",
                        "{" + entry("a", "U8", "[4294967296,4294967297]", "[0,4]") + "}",
                        4,
                        "'a'",
                        "beyond 64 bits"),
                header(
                        "product wraps to 0",
                        "{" + entry("a", "F32", "[4611686018427387904,4]", "[0,0]") + "}",
                        0,
                        "'a'",
                        "beyond 64 bits"),
                header(
                        "product wraps before a 0",
                        "{" + entry("a", "F32", "[4611686018427387904,4,0]", "[0,0]") + "}",
                        0,
                        "'a'",
                        "beyond 64 bits"),
                header("half a byte", "{" + entry("a", "F4", "[3]", "[0,2]") + "}", 2, "'a'", "whole bytes"));
    }

    private static List<Bad> lyingLayouts() {
        String a = entry("a", "F32", "[1]", "[0,4]");
        return List.of(
                header(
                        "same range twice",
                        "{" + a + "," + entry("b", "F32", "[1]", "[0,4]") + "}",
                        4,
                        "'b'",
                        "overlaps"),
                header(
                        "partial overlap",
                        "{" + a + "," + entry("b", "F32", "[1]", "[2,6]") + "}",
                        6,
                        "'b'",
                        "begins at byte 2",
                        "ends at 4"),
                header(
                        "one inside another",
                        "{" + entry("a", "F32", "[3]", "[0,12]") + "," + entry("b", "F32", "[1]", "[4,8]") + "}",
                        12,
                        "'b'",
                        "overlaps"),
                header("hole at the start", "{" + entry("a", "F32", "[1]", "[4,8]") + "}", 8, "'a'", "hole of 4 bytes"),
                header(
                        "hole between",
                        "{" + a + "," + entry("b", "F32", "[1]", "[5,9]") + "}",
                        9,
                        "'b'",
                        "hole of 1 bytes"),
                header("bytes after the last tensor", "{" + a + "}", 5, "end at byte 4", "5 bytes"),
                header("no tensors but data", "{}", 1, "end at byte 0", "1 bytes"));
    }

    private static List<Bad> brokenIndexes() {
        return List.of(
                index("index is an array", "[]", "does not hold a JSON object"),
                index("index is empty", "", "does not hold a JSON object"),
                index("index goes on", "{\"weight_map\":{\"a\":\"m.safetensors\"}}{}", "goes on after"),
                index(
                        "index with a duplicate key",
                        "{\"weight_map\":{\"a\":\"m.safetensors\",\"a\":\"m.safetensors\"}}",
                        "uplicate"),
                index("no weight_map", "{\"metadata\":{}}", "no weight_map"),
                index("empty weight_map", "{\"weight_map\":{}}", "no weight_map"),
                index("file is a number", "{\"weight_map\":{\"a\":1}}", "'a'", "expected the name"),
                index(
                        "parent directory",
                        "{\"weight_map\":{\"a\":\"../m.safetensors\"}}",
                        "'a'",
                        "'../m.safetensors'",
                        "same directory"),
                index(
                        "absolute path",
                        "{\"weight_map\":{\"a\":\"/etc/m.safetensors\"}}",
                        "'a'",
                        "'/etc/m.safetensors'",
                        "same directory"),
                index("back slashes", "{\"weight_map\":{\"a\":\"..\\\\m.safetensors\"}}", "'a'", "same directory"),
                index("another suffix", "{\"weight_map\":{\"a\":\"m.bin\"}}", "'a'", "'m.bin'"),
                index("zero byte", "{\"weight_map\":{\"a\":\"m\\u0000.safetensors\"}}", "'a'", "\\u0000"),
                index(
                        "missing file",
                        "{\"weight_map\":{\"a\":\"n.safetensors\"}}",
                        "'a'",
                        "'n.safetensors'",
                        "no such file"),
                index(
                        "tensor that the file lacks",
                        "{\"weight_map\":{\"b\":\"m.safetensors\"}}",
                        "'b'",
                        "does not have it"),
                index("nested without end", "{\"a\":".repeat(1000), "not valid JSON"));
    }

    private static Bad raw(String what, byte[] bytes, String... says) {
        return new Bad(what, directory -> Files.write(directory.resolve("model.safetensors"), bytes), List.of(says));
    }

    private static Bad length(String what, long length, byte[] header, String... says) {
        return new Bad(
                what, directory -> write(directory.resolve("model.safetensors"), length, header, 16), List.of(says));
    }

    private static Bad header(String what, String header, int dataBytes, String... says) {
        return new Bad(
                what, directory -> write(directory.resolve("model.safetensors"), header, dataBytes), List.of(says));
    }

    private static Bad index(String what, String json, String... says) {
        return new Bad(
                what,
                directory -> {
                    write(directory.resolve("m.safetensors"), GOOD, 16);
                    Files.writeString(directory.resolve("model.safetensors.index.json"), json);
                },
                List.of(says));
    }

    @Test
    void answersRandomDamageWithAResultOrAWeightFormatException(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("model.safetensors");
        write(file, "{" + entry("a", "F32", "[2,2]", "[0,16]") + "," + entry("b", "BF16", "[4]", "[16,24]") + "}", 24);
        byte[] good = Files.readAllBytes(file);
        Random random = new Random(7);
        int refused = 0;

        for (int round = 0; round < 1000; round++) {
            byte[] bad = good.clone();
            for (int i = random.nextInt(3); i >= 0; i--) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
            }
            Files.write(file, bad);
            try (Safetensors weights = Safetensors.open(file)) {
                weights.tensors().forEach(tensor -> weights.bytes(tensor, Arena.global()));
            } catch (WeightFormatException e) {
                refused++;
            }
        }

        assertThat(refused).isBetween(500, 999);
    }
}
