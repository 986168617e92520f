package dev.troupe.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class TensorTest {
    private final Arena arena = Arena.ofAuto();

    @Test
    void copiesRowsToTheHeapAndBack() {
        Tensor tensor = Tensor.floats(arena, 3, 2);
        tensor.setRows(1, new Floats(2, 2, new float[] {1, 2, 3, 4}));

        assertThat(tensor.copyRows(0, 2)).isEqualTo(new Floats(2, 2, new float[] {0, 0, 1, 2}));
        assertThat(tensor.get(2, 1)).isEqualTo(4f);
        assertThat(tensor.address() % 64).isZero();
    }

    @Test
    void takesBlocksOfQuantisedColumnsWhole() {
        assertThat(DType.Q8_0.rowBytes(64)).isEqualTo(68);
        assertThat(DType.BF16.rowBytes(3)).isEqualTo(6);
        assertThatThrownBy(() -> DType.Q8_0.rowBytes(33))
                .hasMessage("columns=33 is not a multiple of the 32 elements in a block of q8_0");
    }

    @Test
    void refusesMemoryThatDoesNotFit() {
        assertThatThrownBy(() -> new Tensor(DType.F16, 3, 5, arena.allocate(32)))
                .hasMessage("a f16 tensor [3, 5] takes 30 bytes, the memory has 32");
        assertThatThrownBy(() -> new Tensor(DType.F16, 3, 5, arena.allocate(30)).get(0, 0))
                .hasMessage("a f16 tensor has no f32 elements");
        assertThatThrownBy(() -> Tensor.floats(arena, 3, 5).setRows(0, new Floats(1, 4, new float[4])))
                .hasMessage("columns=4, expected 5");
        assertThatThrownBy(() -> Tensor.floats(arena, 3, 5).setRows(3, new Floats(1, 5, new float[5])))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void comparesFloatsByTheirBits() {
        Floats zero = new Floats(1, 1, new float[] {0f});

        assertThat(zero).isEqualTo(new Floats(1, 1, new float[] {0f})).isNotEqualTo(new Floats(1, 1, new float[] {-0f
        }));
        assertThat(new Floats(1, 1, new float[] {Float.NaN})).isEqualTo(new Floats(1, 1, new float[] {Float.NaN}));
        assertThat(new Floats(3, 1, new float[] {1, 2, 3}).slice(1, 3)).isEqualTo(new Floats(2, 1, new float[] {2, 3}));
        assertThatThrownBy(() -> new Floats(2, 2, new float[3])).hasMessage("[2, 2] takes 4 values, got 3");
    }

    @Test
    void keepsListsOfInts() {
        int[] source = {1, 2, 3};
        Ints ints = Ints.of(source);
        source[0] = 9;

        assertThat(ints).isEqualTo(Ints.of(1, 2, 3)).hasToString("[1, 2, 3]");
        assertThat(ints.slice(1, 3).append(Ints.of(7))).isEqualTo(Ints.of(2, 3, 7));
        assertThat(Ints.of().isEmpty()).isTrue();
        assertThatThrownBy(() -> ints.slice(2, 4)).hasMessage("[2, 4) of 3");
    }
}
