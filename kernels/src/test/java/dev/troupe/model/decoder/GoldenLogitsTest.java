package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Golden;
import dev.troupe.model.Partition;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Accuracy against an independent float64 program. */
class GoldenLogitsTest {
    private static final double F32_CACHE = 1e-4;
    private static final double F16_CACHE = 2e-3;

    @ParameterizedTest
    @ValueSource(
            strings = {"llama", "llama31-bf16-sharded", "llama32-tied-f16", "mistral", "qwen2", "qwen3", "qwen3-yarn"})
    void agreeWithFloat64(String name) throws IOException {
        Path directory = Checkpoints.golden(name);

        assertAgrees(directory, Golden.read(directory), KvType.F32, F32_CACHE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen3"})
    void agreeWithFloat64ThatReadsKeysAndValuesThroughF16(String name) throws IOException {
        Path directory = Checkpoints.golden(name);

        assertAgrees(directory, Golden.variant(directory, "f16-cache"), KvType.F16, F16_CACHE);
    }

    @Test
    void agreeOnTheModelThatComesWithTroupe() throws IOException {
        Path directory = Checkpoints.tales();

        assertAgrees(directory, Golden.read(directory), KvType.F32, F32_CACHE);
        assertAgrees(directory, Golden.more(directory, 0), KvType.F32, F32_CACHE);
    }

    @Test
    void agreeOnAModelWhoseFeedForwardFillsNoWholeBlocks() throws IOException {
        Path directory = Checkpoints.shared("models/stories260K");

        assertAgrees(directory, Golden.read(directory), KvType.F32, F32_CACHE);
        assertAgrees(directory, Golden.variant(directory, "f16-cache"), KvType.F16, F16_CACHE);
    }

    private static void assertAgrees(Path directory, Golden golden, KvType cache, double bound) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(directory);
                LocalModel model = LocalModel.load(
                        checkpoint,
                        Partition.even(checkpoint.config(), 1, 1),
                        ReferenceKernels::new,
                        new KvSettings(cache, 32, 8),
                        LoadProgress.NONE)) {

            if (golden.hasLogits()) {
                assertThat(golden.distance(model.logits(golden.inputIds(), golden.inputIds().length)))
                        .isLessThan(bound);
            }
            assertThat(model.greedy(golden.prompt(), golden.greedyIds().length, 8))
                    .isEqualTo(golden.greedyIds());
        }
    }
}
