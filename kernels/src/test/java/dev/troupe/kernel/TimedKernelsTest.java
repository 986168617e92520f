package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.KernelTimes.Operation;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TimedKernelsTest {
    private final Arena arena = Arena.ofAuto();
    private final KernelTimes times = new KernelTimes();
    private final CpuProvider provider = CpuProvider.choose(KernelProvider.Choice.REFERENCE, 1);

    @Test
    void addsEveryOperationToItsKind() {
        try (Kernels kernels = times.timing(provider.create())) {
            assertThat(times.now().values()).containsOnly(0L);

            WarmUp.run(kernels, DType.F32, KvType.F16, Duration.ofSeconds(2));

            assertThat(times.now()).containsOnlyKeys(Operation.values());
            assertThat(times.now().values()).allMatch(nanos -> nanos > 0);
        }
    }

    @Test
    void addsAProductToProductsOnlyAndChangesNoBit() {
        Random random = new Random(3);
        Tensor x = Samples.floats(arena, 2, 64, random);
        PackedMatrix w = MatrixPacker.pack(arena, Samples.weights(arena, DType.Q8_0, 40, 64, random));
        Tensor expected = Tensor.floats(arena, 2, 40);
        Tensor got = Tensor.floats(arena, 2, 40);

        try (Kernels plain = provider.create();
                Kernels timed = times.timing(provider.create())) {
            plain.matmul(w, null, x, 2, expected);
            timed.matmul(w, null, x, 2, got);

            assertThat(timed.description()).isEqualTo(plain.description());
        }
        assertThat(got.memory().mismatch(expected.memory())).isEqualTo(-1);
        times.now().forEach((operation, nanos) -> assertThat(nanos > 0).isEqualTo(operation == Operation.PRODUCTS));
    }

    @Test
    void measuresDotProductsWhereNativeProductsRun() {
        assertThat(DotCeiling.operationsPerSecond(1, 1).isPresent()).isEqualTo(TrustedNatives.refusal() == null);
        DotCeiling.operationsPerSecond(2, 1).ifPresent(rate -> assertThat(rate).isGreaterThan(1e8));
    }
}
