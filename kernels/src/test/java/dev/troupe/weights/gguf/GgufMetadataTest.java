package dev.troupe.weights.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.troupe.tensor.Ints;
import dev.troupe.weights.WeightFormatException;
import java.io.IOException;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufMetadataTest {
    @TempDir
    Path directory;

    private GgufMetadata open(GgufBuilder builder) throws IOException {
        return GgufFile.open(builder.write(directory.resolve("a.gguf"))).metadata();
    }

    @Test
    void givesEveryTypeOfValue() throws IOException {
        GgufBuilder builder = new GgufBuilder();
        GgufMetadata metadata = open(builder.text("text", "Grüße")
                .key("u8", 0, new byte[] {-1})
                .key("i8", 1, new byte[] {-1})
                .key("u16", 2, new byte[] {-1, -1})
                .key("i16", 3, new byte[] {-2, -1})
                .uint32("u32", 0xffff_ffffL)
                .key("i32", 5, builder.ints(-7))
                .key("u64", 10, builder.longs(1L << 40))
                .key("i64", 11, builder.longs(-1L << 40))
                .float32("f32", 0.1f)
                .key("f64", 12, builder.longs(Double.doubleToRawLongBits(0.1)))
                .flag("yes", 1)
                .flag("no", 0)
                .texts("texts", "a", "", "\u2581b")
                .int32s("ints", 3, -4)
                .array("bytes", 0, 2, new byte[] {1, -1})
                .array("floats", 6, 2, builder.ints(Float.floatToRawIntBits(1.5f), Float.floatToRawIntBits(-0f))));

        assertThat(metadata.keys()).startsWith("text", "u8").hasSize(17);
        assertThat(metadata.text("text")).contains("Grüße");
        assertThat(metadata.integer("u8")).hasValue(255);
        assertThat(metadata.integer("i8")).hasValue(-1);
        assertThat(metadata.integer("u16")).hasValue(65535);
        assertThat(metadata.integer("i16")).hasValue(-2);
        assertThat(metadata.integer("u32")).hasValue(0xffff_ffffL);
        assertThat(metadata.integer("i32")).hasValue(-7);
        assertThat(metadata.integer("u64")).hasValue(1L << 40);
        assertThat(metadata.integer("i64")).hasValue(-1L << 40);
        assertThat(metadata.number("f32")).hasValue(0.1f);
        assertThat(metadata.number("f64")).hasValue(0.1);
        assertThat(metadata.flag("yes")).contains(true);
        assertThat(metadata.flag("no")).contains(false);
        assertThat(metadata.texts("texts")).containsExactly("a", "", "\u2581b");
        assertThat(metadata.integers("ints")).contains(Ints.of(3, -4));
        assertThat(metadata.integers("bytes")).contains(Ints.of(1, 255));
        assertThat(metadata.numbers("floats")).containsExactly(1.5f, -0f);
        assertThat(metadata.count("texts")).isEqualTo(3);
        assertThat(metadata.shown("texts")).isEqualTo("array of string, 3 elements");
        assertThat(metadata.shown("text")).isEqualTo("'Grüße'");
        assertThat(metadata.shown("f32")).isEqualTo("0.1");
    }

    @Test
    void givesNothingForAnAbsentKey() throws IOException {
        GgufMetadata metadata = open(new GgufBuilder());

        assertThat(metadata.has("x")).isFalse();
        assertThat(metadata.text("x")).isEmpty();
        assertThat(metadata.integer("x")).isEmpty();
        assertThat(metadata.number("x")).isEmpty();
        assertThat(metadata.flag("x")).isEmpty();
        assertThat(metadata.texts("x")).isEmpty();
        assertThat(metadata.integers("x")).isEmpty();
        assertThat(metadata.numbers("x")).isEmpty();
    }

    @Test
    void refusesToGiveAValueAsAnotherType() throws IOException {
        GgufBuilder builder = new GgufBuilder();
        GgufMetadata metadata = open(builder.text("text", "a")
                .uint32("number", 7)
                .flag("flag", 2)
                .key("huge", 10, builder.longs(-1))
                .array("large", 4, 1, builder.ints(-1))
                .texts("texts", "a"));

        refuses(() -> metadata.integer("text"), "a.gguf", "'text' is of type string, expected an integer");
        refuses(() -> metadata.text("number"), "'number' is of type uint32, expected string");
        refuses(() -> metadata.number("number"), "'number' is of type uint32, expected float32");
        refuses(() -> metadata.integers("texts"), "'texts' is of type array of string, expected array of integers");
        refuses(() -> metadata.texts("large"), "'large' is of type array of uint32, expected array of string");
        refuses(() -> metadata.numbers("large"), "expected array of float32");
        refuses(() -> metadata.flag("flag"), "'flag'", "expected 0 or 1");
        refuses(() -> metadata.integer("huge"), "'huge' has the number 18446744073709551615");
        refuses(() -> metadata.integers("large"), "'large' has the element 4294967295");
    }

    private static void refuses(ThrowingCallable what, String... says) {
        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(what)
                .satisfies(e -> assertThat(e.getMessage()).contains(says));
    }

    @Test
    void replacesBytesThatAreNoUtf8() throws IOException {
        GgufBuilder builder = new GgufBuilder();
        GgufMetadata metadata =
                open(builder.array("texts", 8, 1, GgufBuilder.join(builder.longs(2), new byte[] {'a', (byte) 0xc3})));

        assertThat(metadata.texts("texts")).containsExactly("a\ufffd");
    }
}
