package dev.troupe.weights.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.management.ThreadMXBean;
import dev.troupe.weights.WeightFormatException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class HostileGgufFilesTest {
    private static final long MOST_ALLOCATED = 64L << 20;

    /** Far above a second, for a busy machine; a file that is walked too often takes minutes. */
    private static final Duration LONGEST = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    /** A bad file and what the message must say. */
    record Bad(String what, Supplier<byte[]> bytes, List<String> says) {
        static Bad of(String what, GgufBuilder builder, String... says) {
            return new Bad(what, builder::build, List.of(says));
        }

        @Override
        public String toString() {
            return what;
        }
    }

    private static GgufBuilder builder() {
        return new GgufBuilder();
    }

    @ParameterizedTest
    @MethodSource("badFiles")
    void refusesABadFileWithAMessageThatHelpsAndWithoutMemory(Bad bad) throws IOException {
        Path file = Files.write(directory.resolve("bad.gguf"), bad.bytes().get());
        long allocated = allocated();
        long started = System.nanoTime();

        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> GgufFile.open(file))
                .satisfies(e -> assertThat(e.getMessage())
                        .contains("bad.gguf")
                        .contains(bad.says())
                        .hasSizeLessThan(800));

        assertThat(allocated() - allocated).isLessThan(Files.size(file) + MOST_ALLOCATED);
        assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(LONGEST);
    }

    private static long allocated() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }

    static Stream<Bad> badFiles() {
        List<Bad> all = new ArrayList<>();
        all.addAll(wrongHeaders());
        all.addAll(wrongKeys());
        all.addAll(wrongTensors());
        all.addAll(wrongPlaces());
        assertThat(all).hasSizeGreaterThanOrEqualTo(60);
        return all.stream();
    }

    private static List<Bad> wrongHeaders() {
        return List.of(
                new Bad("empty", () -> new byte[0], List.of("has 0 bytes", "too few")),
                new Bad("23 bytes", () -> Arrays.copyOf(builder().build(), 23), List.of("has 23 bytes", "too few")),
                Bad.of("other magic", builder().magic(0x46554746), "is no GGUF file", "0x46475546"),
                Bad.of("safetensors", builder().magic(0x10), "is no GGUF file", "0x10000000"),
                Bad.of("version 0", builder().version(0), "version 0", "2 or 3"),
                Bad.of("version 1", builder().version(1), "version 1", "2 or 3"),
                Bad.of("version 4", builder().version(4), "version 4", "2 or 3"),
                Bad.of("version -1", builder().version(-1), "version 4294967295"),
                Bad.of("big endian", builder().bigEndian().text("a", "b"), "big-endian", "version 3"),
                Bad.of("one key too many", builder().text("a", "b").keyCount(2), "counts 2 metadata keys", "at most 1"),
                Bad.of("keys without end", builder().text("a", "b").keyCount(Long.MAX_VALUE), "9223372036854775807"),
                Bad.of("-1 keys", builder().keyCount(-1), "counts 18446744073709551615 metadata keys"),
                Bad.of(
                        "more keys than anybody has",
                        builder().keyCount(100_001).data(3_000_000),
                        "counts 100001 metadata keys",
                        "at most 100000"),
                Bad.of(
                        "one tensor too many",
                        builder().floats("a", new float[] {1}, 1).tensorCount(2),
                        "tensor"),
                Bad.of("tensors without end", builder().tensorCount(1L << 62), "counts 4611686018427387904 tensors"),
                Bad.of(
                        "more tensors than anybody has",
                        builder().tensorCount(100_001).data(3_000_000),
                        "counts 100001 tensors",
                        "at most 65536"));
    }

    private static List<Bad> wrongKeys() {
        GgufBuilder b = builder();
        return List.of(
                Bad.of("key of length 0", builder().rawKey(b.longs(0), 4, b.ints(1)), "key '0'", "0 bytes", "1 to"),
                Bad.of("key longer than the file", builder().rawKey(b.longs(1000), 4, b.ints(1)), "1000 bytes"),
                Bad.of("key too long", builder().uint32("k".repeat(1025), 1), "1025 bytes", "1 to 1024"),
                Bad.of("key of length -1", builder().rawKey(b.longs(-1), 4, b.ints(1, 2)), "18446744073709551615"),
                Bad.of("key with a control character", builder().uint32("a\u001b[2J", 1), "'a\\u001b[2J'"),
                Bad.of("key beyond ASCII", builder().uint32("\u00e9", 1), "ASCII"),
                Bad.of("key twice", builder().uint32("a", 1).uint32("a", 1), "'a'", "twice"),
                Bad.of("type 13", builder().key("a", 13, b.longs(1)), "'a'", "unknown value type 13"),
                Bad.of("type -1", builder().key("a", -1, b.longs(1)), "unknown value type 4294967295"),
                Bad.of("value beyond the end", builder().key("a", 12, b.ints(1)), "'a'", "takes 8 bytes", "ends at"),
                Bad.of("text beyond the end", builder().key("a", 8, b.longs(9)), "'a'", "9 bytes", "ends at"),
                Bad.of("text of length -1", builder().key("a", 8, b.longs(-1)), "'a'", "18446744073709551615"),
                Bad.of(
                        "text whose end wraps",
                        builder().key("a", 8, b.longs(Long.MAX_VALUE)),
                        "'a'",
                        "9223372036854775807"),
                Bad.of("array of type 13", builder().array("a", 13, 1, b.longs(1)), "unknown value type 13"),
                Bad.of("array of arrays", builder().array("a", 9, 1, b.longs(1, 2, 3)), "'a'", "array of arrays"),
                Bad.of("array of count -1", builder().array("a", 4, -1, b.ints(1)), "'a'", "18446744073709551615"),
                Bad.of(
                        "array whose size wraps to 0",
                        builder().array("a", 12, 1L << 61, b.longs(1)),
                        "'a'",
                        "2305843009213693952"),
                Bad.of("array of texts without end", builder().array("a", 8, 1L << 40, b.longs(0)), "1099511627776"),
                Bad.of("array with a long text", builder().array("a", 8, 1, b.longs(77)), "'a'", "77 bytes"),
                Bad.of("array one too long", builder().array("a", 6, 3, b.longs(1)), "'a'", "3 elements"),
                Bad.of("alignment 0", builder().uint32("general.alignment", 0), "general.alignment", "power of two"),
                Bad.of("alignment 24", builder().uint32("general.alignment", 24), "'general.alignment' = 24"),
                Bad.of("alignment 2^31", builder().uint32("general.alignment", 1L << 31), "2147483648", "65536"),
                Bad.of("alignment a text", builder().text("general.alignment", "32"), "type string", "an integer"));
    }

    private static List<Bad> wrongTensors() {
        GgufBuilder b = builder();
        return List.of(
                Bad.of("tensor twice", builder().floats("a", new float[8], 8).floats("a", new float[8], 8), "twice"),
                Bad.of("name of length 0", builder().rawEntry(b.longs(0), 1, 0, 0, 1), "tensor '0'", "0 bytes"),
                Bad.of("name too long", builder().floats("n".repeat(65), new float[1], 1), "65 bytes", "1 to 64"),
                Bad.of("name of length -1", builder().rawEntry(b.longs(-1), 1, 0, 0, 1), "18446744073709551615"),
                Bad.of("5 dimensions", builder().floats("a", new float[1], 1, 1, 1, 1, 1), "5 dimensions", "most 4"),
                Bad.of("2^32 - 1 dimensions", builder().rawEntry(b.bytes("a"), -1, 0, 0, 1), "4294967295 dimensions"),
                Bad.of("size 0", builder().floats("a", new float[1], 1, 0), "'a'", "dimension of size 0"),
                Bad.of("size -1", builder().floats("a", new float[1], -1), "'a'", "18446744073709551615"),
                Bad.of("type 4", builder().tensor("a", 4, new byte[20], 32), "'a'", "unknown type 4"),
                Bad.of("type 1000", builder().tensor("a", 1000, new byte[20], 32), "unknown type 1000"),
                Bad.of("type -1", builder().tensor("a", -1, new byte[20], 32), "unknown type 4294967295"),
                Bad.of("part of a block", builder().tensor("a", 8, new byte[34], 31), "Q8_0", "31", "the 32"),
                Bad.of("part of a large block", builder().tensor("a", 12, new byte[144], 128), "Q4_K", "the 256"),
                Bad.of(
                        "product wraps to 0",
                        builder().floats("a", new float[1], 1L << 32, 1L << 32),
                        "'a'",
                        "beyond 64 bits"),
                Bad.of(
                        "product wraps to 4",
                        builder().floats("a", new float[1], (1L << 32) + 1, 1L << 32, 1, 1),
                        "beyond 64 bits"),
                Bad.of("bytes wrap", builder().floats("a", new float[1], 1L << 62), "'a'", "beyond 64 bits"),
                Bad.of("exabytes", builder().tensor("a", 8, new byte[34], 1L << 62), "4899916394579099648 bytes"),
                Bad.of("table cut", builder().rawEntry(b.bytes("a"), 3, 1, 0, 1), "'a'", "ends at byte"));
    }

    private static List<Bad> wrongPlaces() {
        return List.of(
                Bad.of("not aligned", builder().entry("a", 0, 4, 1).data(64), "'a'", "byte 4", "alignment 32"),
                Bad.of("no data", builder().entry("a", 0, 0, 1), "'a'", "0 to 4", "only 0 bytes of data"),
                Bad.of("one byte short", builder().entry("a", 0, 0, 2).data(7), "'a'", "only 7 bytes"),
                Bad.of("behind the end", builder().entry("a", 0, 96, 1).data(64), "'a'", "only 64 bytes of data"),
                Bad.of(
                        "far behind the end",
                        builder().entry("a", 0, 1L << 40, 1).data(64),
                        "1099511627776"),
                Bad.of("offset -32", builder().entry("a", 0, -32, 1).data(64), "18446744073709551584"),
                Bad.of(
                        "end wraps",
                        builder().entry("a", 0, Long.MAX_VALUE - 31, 1).data(64),
                        "9223372036854775776"),
                Bad.of(
                        "overlap",
                        builder().entry("a", 0, 0, 9).entry("b", 0, 32, 1).data(64),
                        "'b'",
                        "byte 32",
                        "overlaps",
                        "ends at 36"),
                Bad.of(
                        "same place",
                        builder().entry("a", 0, 0, 1).entry("b", 0, 0, 1).data(64),
                        "overlaps"),
                Bad.of(
                        "overlap in another order",
                        builder().entry("a", 0, 32, 1).entry("b", 0, 0, 16).data(64),
                        "'a'",
                        "overlaps"));
    }

    @Test
    void refusesAFileThatIsCutAnywhere() throws IOException {
        byte[] whole = builder()
                .text("general.architecture", "llama")
                .texts("tokens", "a", "b", "\u2581c")
                .int32s("numbers", 1, 2, 3)
                .floats("a", new float[10], 5, 2)
                .tensor("b", 8, new byte[68], 64)
                .build();
        Path file = directory.resolve("cut.gguf");

        for (int length = 0; length < whole.length; length++) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThatExceptionOfType(WeightFormatException.class)
                    .as("cut at %d of %d", length, whole.length)
                    .isThrownBy(() -> GgufFile.open(file));
        }

        assertThat(GgufFile.open(Files.write(file, whole)).tensors()).hasSize(2);
    }

    @Test
    void keepsWithinItsMemoryForLargeTables() throws IOException {
        GgufBuilder keys = builder();
        for (int i = 0; i < 100_000; i++) {
            keys.flag("k" + i, 1);
        }
        GgufBuilder tensors = builder();
        for (int i = 0; i < 65_536; i++) {
            tensors.entry("t" + i, 24, 32L * i, 1);
        }
        tensors.data(32 * 65_536);
        GgufBuilder texts = builder().array("texts", 8, 1_000_000, new byte[8_000_000]);

        for (GgufBuilder large : List.of(keys, tensors, texts)) {
            Path file = large.write(directory.resolve("large.gguf"));
            long allocated = allocated();
            long started = System.nanoTime();

            GgufFile opened = GgufFile.open(file);

            assertThat(allocated() - allocated).isLessThan(Files.size(file) + MOST_ALLOCATED);
            assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(LONGEST);
            assertThat(opened.tensors().size() + opened.metadata().keys().size())
                    .isPositive();
            Files.delete(file);
        }
    }
}
