package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kernel.cuda.StandInTest;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Golden;
import dev.troupe.model.Partition;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * How far fast kernels are from float64 in whole models, with an f32 cache and within the bounds of docs/numerics.md, and that neither
 * splits nor chunks change their bits; on the stand-in driver.
 */
@StandInTest
class FastModelTest {
    @BeforeEach
    void needsTwoDevices() {
        StandIn.set("devices", 2);
    }

    @ParameterizedTest
    @CsvSource({"llama31-bf16-sharded, 3e-4", "llama32-tied-f16, 1e-4"})
    void agreeWithFloat64(String name, double bound) throws IOException {
        Golden golden = Golden.read(Checkpoints.golden(name));
        try (Checkpoint checkpoint = Checkpoint.open(Checkpoints.golden(name));
                CudaDevice device = new CudaDevice(0);
                LocalModel model = load(checkpoint, 1, 1, () -> new CudaKernels(device, Numerics.FAST))) {
            int[] ids = golden.inputIds();

            assertThat(golden.distance(model.logits(ids, ids.length))).isLessThan(bound);
            assertThat(model.greedy(golden.prompt(), golden.greedyIds().length, 8))
                    .isEqualTo(golden.greedyIds());
        }
    }

    @ParameterizedTest
    @CsvSource({"tiny:bf16, 3e-4", "tiny:f16, 1e-4"})
    void haveTheSameBitsHoweverTheyAreSplitAndChunked(String name, double bound) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            int[] ids = new Random(4)
                    .ints(70, 0, checkpoint.config().vocabularySize())
                    .toArray();
            double[][] expected = new DoubleModel(checkpoint).logits(ids);

            Floats whole = logits(checkpoint, 1, 1, () -> new CudaKernels(first, Numerics.FAST), ids, 70);

            assertThat(Golden.distance(expected, whole)).isLessThan(bound);
            assertThat(logits(checkpoint, 2, 2, () -> new CudaKernels(second, Numerics.FAST), ids, 7))
                    .isEqualTo(whole);
        }
    }

    private static Floats logits(
            Checkpoint checkpoint, int stages, int ranks, Supplier<Kernels> kernels, int[] ids, int chunk)
            throws IOException {
        try (LocalModel model = load(checkpoint, stages, ranks, kernels)) {
            return model.logits(ids, chunk);
        }
    }

    private static LocalModel load(Checkpoint checkpoint, int stages, int ranks, Supplier<Kernels> kernels)
            throws IOException {
        return LocalModel.load(
                checkpoint,
                Partition.even(checkpoint.config(), stages, ranks),
                kernels,
                new KvSettings(KvType.F32, 32, 8),
                LoadProgress.NONE);
    }
}
