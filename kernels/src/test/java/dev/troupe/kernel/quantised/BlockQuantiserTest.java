package dev.troupe.kernel.quantised;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.model.Checkpoints;
import dev.troupe.tensor.DType;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufFile;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The fixtures {@code quants/rounding.*} are 33 super-blocks of values (normal, heavy-tailed, of one sign, constant, halves,
 * zeros of both signs, tiny, large, single outliers) and what a program of our own in numpy, written from ggml's reference
 * functions, makes of them.
 */
class BlockQuantiserTest {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** The zeros are equal. */
    private static final Comparator<Float> BY_VALUE = Comparator.comparingDouble(value -> value + 0.0);

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K"})
    void theBytesAreThoseOfAnIndependentProgram(DType type) throws IOException {
        float[] values = new float[33 * 256];
        ByteBuffer.wrap(resource("values"))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer()
                .get(values);
        byte[] expected = resource(type.label());

        byte[] rounded = round(type, values);

        int bytes = type.blockBytes();
        assertThat(rounded).hasSameSizeAs(expected);
        for (int at = 0; at < expected.length; at += bytes) {
            assertThat(Arrays.copyOfRange(rounded, at, at + bytes))
                    .as("block %d", at / bytes)
                    .isEqualTo(Arrays.copyOfRange(expected, at, at + bytes));
        }
    }

    /** Sums in another order choose other codes in a few of many blocks; the digests are of that program too. */
    @ParameterizedTest
    @CsvSource({
        "Q8_0,dfdca1dd2f60857ffeab0d2df92ed17104d086acf1e282e2750c575917a990b4",
        "Q4_0,0e327936207a9e4ecdb8e170deb825bfa08c1eb9a0ed039b4da43d2c1b994c90",
        "Q4_K,e553f3dfa8ea0b475395481c032adc9847507f28ec38f5946b7350ba2ad57040"
    })
    void theBytesOfAMillionValuesAreThoseOfAnIndependentProgram(DType type, String digest) throws Exception {
        float[] values = new float[1 << 20];
        for (int k = 0; k < values.length; k++) {
            float unit = (mix(k) >> 40) * 0x1p-23f;
            values[k] = unit * unit * unit;
        }

        byte[] sha = MessageDigest.getInstance("SHA-256").digest(round(type, values));

        assertThat(HexFormat.of().formatHex(sha)).isEqualTo(digest);
    }

    /** The finaliser of SplitMix64. */
    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    @Test
    void theBytesAreThoseOfAFileThatAnotherProgramRounded() throws IOException {
        GgufFile exact = GgufFile.open(Checkpoints.shared("gguf/stories260K-F32.gguf"));
        GgufFile rounded = GgufFile.open(Checkpoints.shared("gguf/stories260K-Q8_0.gguf"));
        int compared = 0;

        for (WeightTensor tensor : rounded.tensors()) {
            if (tensor.type() == DType.Q8_0) {
                float[] values = exact.bytes(tensor.name()).toArray(FLOAT);
                assertThat(round(DType.Q8_0, values))
                        .as(tensor.name())
                        .isEqualTo(rounded.bytes(tensor.name()).toArray(ValueLayout.JAVA_BYTE));
                compared++;
            }
        }

        assertThat(compared).isEqualTo(31);
    }

    /** Half a step of 127, a whole one of 8 where the largest value is negated, and what a fit to 15 steps was seen to give. */
    @ParameterizedTest
    @CsvSource({"Q8_0,0.0045", "Q4_0,0.126", "Q4_K,0.075"})
    void everyValueStaysNear(DType type, float share) {
        Random random = new Random(3);
        for (int round = 0; round < 300; round++) {
            float[] values = new float[256];
            float size = (float) Math.pow(10, random.nextInt(-1, 5));
            for (int k = 0; k < values.length; k++) {
                values[k] = size * (float) (round % 2 == 0 ? random.nextGaussian() : random.nextFloat(-1, 1));
            }

            float[] read = read(type, round(type, values));

            for (int from = 0; from < values.length; from += type.blockSize()) {
                float bound = share * width(type, values, from);
                for (int k = from; k < from + type.blockSize(); k++) {
                    assertThat(Math.abs(values[k] - read[k])).isLessThan(bound);
                }
            }
        }
    }

    /** The largest magnitude of a block, or for a type with an offset the distance of its extremes. */
    private static float width(DType type, float[] values, int from) {
        float least = 0;
        float most = 0;
        for (int k = from; k < from + type.blockSize(); k++) {
            least = Math.min(least, values[k]);
            most = Math.max(most, values[k]);
        }
        return type == DType.Q4_K ? most - least : Math.max(most, -least);
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K"})
    void zerosStayZero(DType type) {
        assertThat(read(type, round(type, new float[512])))
                .usingElementComparator(BY_VALUE)
                .containsOnly(0f);
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K"})
    void aBlockTooSmallForAnF16ScaleIsZeros(DType type) {
        for (float size : new float[] {Float.MIN_VALUE, 9.8e-45f, 3e-42f, 1e-39f, 1e-37f, 1e-20f}) {
            float[] values = new float[256];
            for (int k = 0; k < values.length; k++) {
                values[k] = k % 3 == 0 ? -size : size;
            }

            assertThat(read(type, round(type, values)))
                    .as("%s", size)
                    .usingElementComparator(BY_VALUE)
                    .containsOnly(0f);
        }
    }

    @Test
    void aScaleWithoutAReciprocalLeavesTheCodesOfZero() {
        float[] values = new float[32];
        Arrays.fill(values, 0, 9, 1e-39f);

        assertThat(Arrays.copyOfRange(round(DType.Q8_0, values), 2, 34)).containsOnly(0);
        assertThat(Arrays.copyOfRange(round(DType.Q4_0, values), 2, 18)).containsOnly(0x88);
    }

    @ParameterizedTest
    @CsvSource({"Q8_0,8.2e6,8.4e6", "Q4_0,5.2e5,5.3e5", "Q4_K,4.1e6,4.2e6"})
    void namesAColumnWhoseBlockNeedsAScaleBeyondF16(DType type, float holds, float tooLarge) {
        float[] values = new float[1024];
        values[700] = -holds;

        assertThat(roundInto(type, values)).isEqualTo(-1);
        values[700] = -tooLarge;
        assertThat(roundInto(type, values)).isEqualTo(700);
        values[700] = Float.MAX_VALUE;
        assertThat(roundInto(type, values)).isEqualTo(700);
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K"})
    void namesAColumnThatIsNotFinite(DType type) {
        for (float value : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] values = new float[512];
            Arrays.fill(values, 2);
            values[301] = value;

            assertThat(roundInto(type, values)).isEqualTo(301);
        }
    }

    @Test
    void refusesAnotherTypeAndARowThatFillsNoBlocks() {
        assertThatThrownBy(() -> new BlockQuantiser(DType.Q6_K))
                .hasMessage("q6_k is no type to round to; these are: q8_0, q4_0, q4_k");
        assertThatThrownBy(() -> round(DType.Q4_K, new float[128]))
                .hasMessage("columns=128 is not a multiple of the 256 elements in a block of q4_k");
        assertThatThrownBy(
                        () -> new BlockQuantiser(DType.Q8_0).round(new float[64], MemorySegment.ofArray(new byte[34])))
                .hasMessage("64 values of type q8_0 take 68 bytes, got 34");
    }

    private static byte[] round(DType type, float[] values) {
        byte[] rounded = new byte[(int) type.rowBytes(values.length)];
        assertThat(new BlockQuantiser(type).round(values, MemorySegment.ofArray(rounded)))
                .isEqualTo(-1);
        return rounded;
    }

    private static int roundInto(DType type, float[] values) {
        byte[] rounded = new byte[(int) type.rowBytes(values.length)];
        return new BlockQuantiser(type).round(values, MemorySegment.ofArray(rounded));
    }

    private static float[] read(DType type, byte[] stored) {
        WeightBlock block = new WeightBlock(type);
        float[] values = new float[stored.length / type.blockBytes() * type.blockSize()];
        for (int k = 0; k < values.length; k++) {
            if (k % 32 == 0) {
                StoredBlocks.read(MemorySegment.ofArray(stored), k / 32, block);
            }
            values[k] = block.value(k % 32);
        }
        return values;
    }

    private static byte[] resource(String what) throws IOException {
        String name = "/quants/rounding.%s.bin".formatted(what);
        try (InputStream in = Objects.requireNonNull(BlockQuantiserTest.class.getResourceAsStream(name), name)) {
            return in.readAllBytes();
        }
    }
}
