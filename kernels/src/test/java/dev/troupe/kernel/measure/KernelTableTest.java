package dev.troupe.kernel.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class KernelTableTest {
    private static final KernelTable.Shape SHAPE =
            new KernelTable.Shape(64, 160, 8, 4, 16, 640, DType.Q8_0, KvType.F16);

    private final List<KernelRow> rows = new ArrayList<>();
    private int works;

    /** A clock that does the work and says that it took as many seconds as there were works. */
    private final WorkClock clock = (passes, work) -> {
        assertThat(passes).isEqualTo(3);
        work.run();
        return ++works;
    };

    private void measure(KernelTable.Plan plan) {
        try (ReferenceKernels kernels = new ReferenceKernels()) {
            new KernelTable(new KernelTable.Timed(kernels, clock), null, SHAPE, plan, rows::add).measure();
        }
    }

    @Test
    void hasARowForEveryOperationOfEveryStep() {
        measure(new KernelTable.Plan(List.of(1, 80), List.of(48, 100), 3, 1));

        assertThat(rows)
                .extracting(row -> "%s %d %d".formatted(row.kernel(), row.tokens(), row.context()))
                .containsExactly(
                        "matmul qkv 1 0",
                        "matmul qkv 80 0",
                        "matmulChunks attention out 1 0",
                        "matmulChunks attention out 80 0",
                        "matmul gate and up 1 0",
                        "matmul gate and up 80 0",
                        "matmulChunks down 1 0",
                        "matmulChunks down 80 0",
                        "matmul output head 1 0",
                        "matmul output head 16 0",
                        "attention f16 1 48",
                        "attention f16 1 100",
                        "attention f16 80 100",
                        "rmsNorm 1 0",
                        "rope 1 0",
                        "storeKv 1 0",
                        "swiglu 1 0",
                        "add 1 0",
                        "rmsNorm 80 0",
                        "rope 80 0",
                        "storeKv 80 0",
                        "swiglu 80 0",
                        "add 80 0");
    }

    @Test
    void countsWhatMustBeReadAndComputed() {
        measure(new KernelTable.Plan(List.of(2), List.of(50), 3, 1));

        KernelRow qkv = rows.getFirst();
        assertThat(qkv.bytes()).isEqualTo(256 * 2 * 34 + 4 * 2 * (64 + 256));
        assertThat(qkv.operations()).isEqualTo(2.0 * 256 * 64 * 2);
        assertThat(qkv.integers()).isTrue();
        assertThat(qkv.seconds()).isEqualTo(1 / 4.0); // one pass of four calls
        assertThat(qkv.bytesPerSecond()).isEqualTo(qkv.bytes() * 4.0);
        assertThat(qkv.operationsPerSecond()).isEqualTo(qkv.operations() * 4);
        assertThat(rows).filteredOn(row -> row.context() == 50).singleElement().satisfies(attention -> {
            assertThat(attention.bytes()).isEqualTo(2 * 50 * 2 * 4 * 16 * 2 + 2 * 4 * 2 * 8 * 16);
            assertThat(attention.operations()).isEqualTo(4.0 * 50 * 2 * 8 * 16);
            assertThat(attention.integers()).isFalse();
        });
    }

    @Test
    void countsWhatTokensOfAPromptSee() {
        measure(new KernelTable.Plan(List.of(65), List.of(65), 3, 1));

        assertThat(rows)
                .filteredOn(row -> row.context() == 65)
                .singleElement()
                .satisfies(attention -> assertThat(attention.operations()).isEqualTo(4.0 * (65 * 66 / 2) * 8 * 16));
    }

    @Test
    void theHostsClockTakesTheMedian() {
        assertThat(WorkClock.ofHost().medianSeconds(3, () -> works++)).isNotNegative();
        assertThat(works).isGreaterThan(3);
    }

    @Test
    void refusesAPlanWithoutTokens() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new KernelTable.Plan(List.of(0), List.of(), 3, 1))
                .withMessage("tokens=[0], contexts=[], passes=3, rotation=1, expected at least 1");
    }
}
