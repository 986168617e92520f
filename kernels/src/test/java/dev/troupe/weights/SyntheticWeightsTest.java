package dev.troupe.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.troupe.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SyntheticWeightsTest {
    @ParameterizedTest
    @EnumSource(DType.class)
    void makesTheSameRowsInAnyOrder(DType type) {
        try (SyntheticWeights weights = source(7, type);
                Arena arena = Arena.ofConfined()) {
            WeightTensor tensor = weights.tensors().iterator().next();
            MemorySegment all = weights.bytes(tensor, arena);

            MemorySegment last = weights.rows(tensor, 90, 100, arena);
            MemorySegment middle = weights.rows(tensor, 3, 4, arena);

            assertThat(last.mismatch(all.asSlice(90 * tensor.rowBytes()))).isEqualTo(-1);
            assertThat(middle.mismatch(all.asSlice(3 * tensor.rowBytes(), tensor.rowBytes())))
                    .isEqualTo(-1);
            assertThat(all.byteSize()).isEqualTo(100 * type.rowBytes(256));
        }
    }

    @Test
    void differsBySeedAndByName() throws WeightFormatException {
        try (SyntheticWeights one = source(1, DType.F32);
                SyntheticWeights two = source(2, DType.F32);
                SyntheticWeights pair = new SyntheticWeights(
                        "pair",
                        1,
                        List.of(
                                SyntheticWeights.Recipe.of("a", DType.F32, List.of(8L), 0, 1),
                                SyntheticWeights.Recipe.of("b", DType.F32, List.of(8L), 0, 1)))) {
            assertThat(floats(one)).isNotEqualTo(floats(two));
            assertThat(pair.bytes(pair.tensors().iterator().next(), Arena.ofAuto())
                            .mismatch(pair.bytes(pair.require("b"), Arena.ofAuto())))
                    .isNotEqualTo(-1);
        }
    }

    @Test
    void isUniformAroundItsCentre() {
        try (SyntheticWeights weights = new SyntheticWeights(
                "one", 3, List.of(SyntheticWeights.Recipe.of("a", DType.F32, List.of(10_000L), 2, 0.5f)))) {
            float[] values = floats(weights);

            double mean = IntStream.range(0, values.length)
                    .mapToDouble(i -> values[i])
                    .average()
                    .orElseThrow();
            double variance = IntStream.range(0, values.length)
                    .mapToDouble(i -> (values[i] - mean) * (values[i] - mean))
                    .average()
                    .orElseThrow();

            assertThat(mean).isCloseTo(2, within(0.02));
            assertThat(variance).isCloseTo(0.25 / 3, within(0.004));
            assertThat(Arrays.copyOf(values, 100)).doesNotHaveDuplicates();
        }
    }

    @Test
    void refusesBlocksAroundAnythingButZero() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SyntheticWeights.Recipe.of("a", DType.Q8_0, List.of(1L, 32L), 1, 1))
                .withMessageContaining("centre=1.0, expected 0");
    }

    private static SyntheticWeights source(long seed, DType type) {
        return new SyntheticWeights(
                "test", seed, List.of(SyntheticWeights.Recipe.of("a", type, List.of(100L, 256L), 0, 0.1f)));
    }

    private static float[] floats(SyntheticWeights weights) {
        return weights.bytes(weights.tensors().iterator().next(), Arena.ofAuto())
                .toArray(ValueLayout.JAVA_FLOAT);
    }
}
