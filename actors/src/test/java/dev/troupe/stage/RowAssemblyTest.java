package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.Floats;
import org.junit.jupiter.api.Test;

class RowAssemblyTest {
    private final Floats whole = new Floats(3, 2, new float[] {1, 2, 3, 4, 5, 6});

    @Test
    void puzzlesPiecesTogetherInAnyOrder() {
        RowAssembly rows = new RowAssembly(3, 2);

        rows.note(2, whole.slice(2, 3));
        rows.note(0, whole.slice(0, 1));
        assertThat(rows.complete()).isFalse();
        rows.note(1, whole.slice(1, 2));

        assertThat(rows.complete()).isTrue();
        assertThat(rows.whole()).isEqualTo(whole);
    }

    @Test
    void passesAWholeTensorOnWithoutACopy() {
        RowAssembly rows = new RowAssembly(3, 2);

        rows.note(0, whole);

        assertThat(rows.whole()).isSameAs(whole);
    }

    @Test
    void ignoresWhatItHas() {
        RowAssembly rows = new RowAssembly(3, 2);
        rows.note(0, whole.slice(0, 2));

        Noted again = rows.note(1, new Floats(1, 2, new float[] {9, 9}));

        assertThat(again).isEqualTo(Noted.REPEATED);
        rows.note(2, whole.slice(2, 3));
        assertThat(rows.whole()).isEqualTo(whole);
    }

    @Test
    void refusesWhatDoesNotFitAndStaysAsItWas() {
        RowAssembly rows = new RowAssembly(3, 2);
        rows.note(0, whole.slice(0, 1));

        assertThatThrownBy(() -> rows.note(0, whole.slice(0, 2)))
                .isInstanceOf(ContradictionException.class)
                .hasMessage("rows [0, 2) overlap rows that are there, 1 of them; pieces must not");
        assertThatThrownBy(() -> rows.note(2, whole.slice(0, 2)))
                .isInstanceOf(ContradictionException.class)
                .hasMessage("rows [2, 4) of 2 columns do not fit a tensor [3, 2]");
        assertThatThrownBy(() -> rows.note(1, new Floats(1, 3, new float[3])))
                .isInstanceOf(ContradictionException.class)
                .hasMessage("rows [1, 2) of 3 columns do not fit a tensor [3, 2]");
        assertThatThrownBy(() -> rows.note(-1, whole.slice(0, 1))).isInstanceOf(ContradictionException.class);
        assertThatThrownBy(() -> rows.note(Integer.MAX_VALUE, whole.slice(0, 1)))
                .isInstanceOf(ContradictionException.class);
        assertThatThrownBy(() -> rows.note(1, new Floats(0, 2, new float[0])))
                .isInstanceOf(ContradictionException.class);

        rows.note(1, whole.slice(1, 3));
        assertThat(rows.whole()).isEqualTo(whole);
    }
}
