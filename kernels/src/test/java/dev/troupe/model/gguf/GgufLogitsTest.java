package dev.troupe.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Golden;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import dev.troupe.model.RopeConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.model.decoder.KvSettings;
import dev.troupe.model.decoder.LocalModel;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A model computes the same from a GGUF file as from a checkpoint, and what an independent float64 program did. */
class GgufLogitsTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"tales", "llama", "mistral", "qwen2", "qwen3", "qwen3-yarn"})
    void theSameBitsFromAGgufFileAndFromSafetensors(String name) throws IOException {
        try (Checkpoint original = Checkpoints.open(name);
                Checkpoint gguf = Checkpoint.open(GgufCopy.write(original, directory.resolve("a.gguf")))) {
            int[] ids = new Random(1)
                    .ints(33, 0, original.config().vocabularySize())
                    .toArray();
            Floats whole = logits(original, 1, 1, KvType.F16, ids);

            assertThat(logits(gguf, 1, 1, KvType.F16, ids)).isEqualTo(whole);
            assertThat(logits(gguf, 2, 2, KvType.F16, ids)).isEqualTo(whole);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny:f32", "tiny:q8_0"})
    void theSameBitsFromAGgufFileOfRandomWeights(String name) throws IOException {
        theSameBitsFromAGgufFileAndFromSafetensors(name);
    }

    @Test
    void theSameBitsWhereQueriesAndKeysHaveBiases() throws IOException {
        ModelConfig config = new ModelConfig(
                "llama",
                2,
                48,
                96,
                6,
                2,
                8,
                300,
                64,
                1e-6f,
                new RopeConfig(500, new RopeConfig.Linear(3)),
                5,
                List.of(true, true),
                false,
                true,
                true,
                true,
                false,
                null,
                List.of(7));
        try (Checkpoint original = SyntheticModel.random(config, DType.F16, "biases", 5);
                Checkpoint gguf = Checkpoint.open(GgufCopy.write(original, directory.resolve("a.gguf")))) {
            int[] ids = new Random(2).ints(20, 0, 300).toArray();

            assertThat(gguf.config()).isEqualTo(config);
            assertThat(logits(gguf, 2, 2, KvType.F16, ids)).isEqualTo(logits(original, 1, 1, KvType.F16, ids));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama31-bf16-sharded", "llama32-tied-f16"})
    void factorsOfFrequenciesStandForTheFormulaOfLlama31(String name) throws IOException {
        Path golden = Checkpoints.golden(name);
        try (Checkpoint original = Checkpoint.open(golden);
                Checkpoint gguf = Checkpoint.open(GgufCopy.write(original, directory.resolve("a.gguf")))) {

            assertAgrees(gguf, Golden.read(golden), KvType.F32, 1e-4);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void theSameBitsFromStories260K(int degree) throws IOException {
        Path directory = Checkpoints.shared("models/stories260K");
        Path file = Checkpoints.shared("gguf/stories260K-F32.gguf");
        try (Checkpoint original = Checkpoint.open(directory);
                Checkpoint gguf = Checkpoint.open(file)) {
            int[] ids = Golden.read(directory).inputIds();

            assertThat(logits(gguf, degree, degree, KvType.F16, ids))
                    .isEqualTo(logits(original, 1, 1, KvType.F16, ids));
            assertThat(greedy(gguf, degree, ids, 120)).isEqualTo(greedy(original, 1, ids, 120));
        }
    }

    @ParameterizedTest
    @CsvSource({"F32,,F32,1e-4", "F32,f16-cache,F16,2e-3", "F16,,F32,1e-4"})
    void agreeWithFloat64(String type, @Nullable String variant, KvType cache, double bound) throws IOException {
        Path file = Checkpoints.shared("gguf/stories260K-%s.gguf".formatted(type));
        try (Checkpoint checkpoint = Checkpoint.open(file)) {

            assertAgrees(checkpoint, stories(type, variant), cache, bound);
        }
    }

    /** Rounded activations move logits; how far they may is said in NUMERICS. */
    @Test
    void staysNearFloat64WithQuantisedWeights() throws IOException {
        Path file = Checkpoints.shared("gguf/stories260K-Q8_0.gguf");
        try (Checkpoint checkpoint = Checkpoint.open(file);
                LocalModel model = load(checkpoint, 1, 1, KvType.F16)) {
            Golden exact = stories("Q8_0", null);

            assertThat(exact.rms(model.logits(exact.inputIds(), 41))).isLessThan(0.03);
        }
    }

    private static Golden stories(String type, @Nullable String variant) throws IOException {
        Path answers = Checkpoints.shared("gguf/stories260K.golden.json");
        return Golden.of(new ObjectMapper().readTree(answers.toFile()).get(type), variant);
    }

    private static void assertAgrees(Checkpoint checkpoint, Golden golden, KvType cache, double bound)
            throws IOException {
        Floats logits = logits(checkpoint, 1, 1, cache, golden.inputIds());
        assertThat(golden.distance(logits)).isLessThan(bound);
        try (LocalModel model = load(checkpoint, 1, 1, cache)) {
            assertThat(model.greedy(golden.prompt(), golden.greedyIds().length, 8))
                    .isEqualTo(golden.greedyIds());
        }
    }

    private static int[] greedy(Checkpoint checkpoint, int degree, int[] ids, int count) throws IOException {
        try (LocalModel model = load(checkpoint, degree, degree, KvType.F16)) {
            return model.greedy(Arrays.copyOf(ids, 1), count, 8);
        }
    }

    private static Floats logits(Checkpoint checkpoint, int stages, int ranks, KvType cache, int[] ids)
            throws IOException {
        try (LocalModel model = load(checkpoint, stages, ranks, cache)) {
            return model.logits(ids, ids.length);
        }
    }

    private static LocalModel load(Checkpoint checkpoint, int stages, int ranks, KvType cache) throws IOException {
        return LocalModel.load(
                checkpoint,
                Partition.even(checkpoint.config(), stages, ranks),
                ReferenceKernels::new,
                new KvSettings(cache, 16, 16),
                LoadProgress.NONE);
    }
}
