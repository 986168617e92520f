package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandIn;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How far fast kernels are from float64 in whole models, and that only the device decides their bits; on the stand-in driver. */
@Tag("cuda")
class FastModelTest {
    /** Of the standard deviation of logits, with an f32 cache; docs/numerics.md says what was measured. */
    private static final double BOUND = 1e-3;

    @BeforeEach
    void needsTheStandIn() {
        StandIn.require();
        StandIn.set("devices", 2);
    }

    @AfterEach
    void nothingIsLeft() {
        StandIn.requireNothingLeft();
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama31-bf16-sharded", "llama32-tied-f16"})
    void agreeWithFloat64(String name) throws IOException {
        Golden golden = Golden.read(Checkpoints.golden(name));
        try (Checkpoint checkpoint = Checkpoint.open(Checkpoints.golden(name));
                CudaDevice device = new CudaDevice(0);
                LocalModel model = load(checkpoint, 1, 1, () -> new CudaKernels(device, Numerics.FAST))) {
            int[] ids = golden.inputIds();

            double distance = golden.distance(model.logits(ids, ids.length));

            System.out.println("DISTANCE " + name + " " + distance);
            assertThat(distance).isLessThan(BOUND);
            assertThat(model.greedy(golden.prompt(), golden.greedyIds().length, 8))
                    .isEqualTo(golden.greedyIds());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny:bf16", "tiny:f16"})
    void haveTheSameBitsHoweverTheyAreSplitAndChunked(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            int[] ids = new Random(4)
                    .ints(70, 0, checkpoint.config().vocabularySize())
                    .toArray();
            double[][] expected = new DoubleModel(checkpoint).logits(ids);

            Floats whole = logits(checkpoint, 1, 1, () -> new CudaKernels(first, Numerics.FAST), ids, 70);

            double distance = Golden.distance(expected, whole);
            System.out.println("DISTANCE " + name + " " + distance);
            assertThat(distance).isLessThan(BOUND);
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
