package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kernel.vector.WorkerPool;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Partition;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole models through the Vector API give the bits of the plain loops, split or not. */
@Tag("vector-width")
class VectorModelTest {
    static final int LENGTH = 36;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tales",
                "mistral",
                "qwen3",
                "tiny:f32",
                "tiny:bf16",
                "tiny:f16",
                "tiny:q8_0",
                "tiny:q4_0",
                "tiny:q5_1",
                "tiny-256:q4_k_m"
            })
    void equalsTheReferenceKernels(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name)) {
            Floats expected = logits(checkpoint, 1, 1, ReferenceKernels::new, LENGTH);

            assertThat(logits(checkpoint, 1, 1, () -> vector(2), LENGTH)).isEqualTo(expected);
            int ranks = Math.min(3, checkpoint.config().kvHeads());
            assertThat(logits(checkpoint, 2, ranks, () -> vector(1), 7)).isEqualTo(expected);
            if (NativeProducts.refusal() == null) {
                assertThat(logits(checkpoint, 1, 1, () -> natives(2), LENGTH)).isEqualTo(expected);
                assertThat(logits(checkpoint, 2, ranks, () -> natives(1), 3)).isEqualTo(expected);
            }
        }
    }

    private static Kernels vector(int threads) {
        return new VectorKernels(new WorkerPool(threads));
    }

    private static Kernels natives(int threads) {
        return new VectorKernels(new WorkerPool(threads), true);
    }

    static Floats logits(Checkpoint checkpoint, int stages, int ranks, Supplier<Kernels> kernels, int chunk)
            throws IOException {
        Partition partition = Partition.even(checkpoint.config(), stages, ranks);
        int[] ids = new Random(1)
                .ints(LENGTH, 0, checkpoint.config().vocabularySize())
                .toArray();
        try (LocalModel model =
                LocalModel.load(checkpoint, partition, kernels, new KvSettings(KvType.F16, 32, 8), LoadProgress.NONE)) {
            return model.logits(ids, chunk);
        }
    }
}
