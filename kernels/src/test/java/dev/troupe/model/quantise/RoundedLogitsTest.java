package dev.troupe.model.quantise;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Golden;
import dev.troupe.model.Partition;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.decoder.KvSettings;
import dev.troupe.model.decoder.LocalModel;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * How far the logits of a rounded model are from those of the exact one: root mean square over the standard deviation. The
 * bounds lie a little above what was measured; rows of queries and keys in a wrong
 * order give more than 0.25, exchanged halves of bytes more than 1.
 */
class RoundedLogitsTest {
    @TempDir
    Path directory;

    /** NUMERICS: an rms of at most 3 % for q8_0 weights and activations of a trained model. */
    @ParameterizedTest
    @CsvSource({"Q8_0,0.03", "Q4_0,0.12"})
    void aTrainedModelStaysNearItsGolden(RoundedType type, double bound) throws IOException {
        Golden golden = Golden.read(Checkpoints.tales());
        try (Checkpoint tales = Checkpoints.open("tales");
                Checkpoint rounded =
                        Checkpoint.open(RoundedFiles.write(tales, type, directory.resolve("tales.gguf")))) {

            double rms = golden.rms(logits(rounded, golden.inputIds()));
            assertThat(rms).isBetween(0.001, bound);
        }
    }

    /** Random models are harsher. */
    @ParameterizedTest
    @CsvSource({
        "llama,Q8_0,0.045",
        "llama31-bf16-sharded,Q8_0,0.045",
        "mistral,Q8_0,0.045",
        "qwen2,Q8_0,0.045",
        "qwen3-yarn,Q4_0,0.35",
        "tiny-256:f32,Q4_K,0.26"
    })
    void aRandomModelStaysNear(String name, RoundedType type, double bound) throws IOException {
        try (Checkpoint exact = Checkpoints.open(name);
                Checkpoint rounded = Checkpoint.open(RoundedFiles.write(exact, type, directory.resolve("a.gguf")))) {
            int[] ids =
                    new Random(1).ints(40, 0, exact.config().vocabularySize()).toArray();

            double rms = rms(logits(exact, ids), logits(rounded, ids));
            assertThat(rms).isBetween(0.001, bound);
        }
    }

    private static double rms(Floats expected, Floats actual) {
        double sum = 0;
        double squares = 0;
        double errors = 0;
        float[] right = expected.toArray();
        float[] other = actual.toArray();
        for (int i = 0; i < right.length; i++) {
            sum += right[i];
            squares += (double) right[i] * right[i];
            errors += Math.pow(other[i] - right[i], 2);
        }
        double mean = sum / right.length;
        return Math.sqrt(errors / right.length) / Math.sqrt(squares / right.length - mean * mean);
    }

    private static Floats logits(Checkpoint checkpoint, int[] ids) throws IOException {
        try (LocalModel model = LocalModel.load(
                checkpoint,
                Partition.even(checkpoint.config(), 1, 1),
                ReferenceKernels::new,
                new KvSettings(KvType.F16, 16, 16),
                LoadProgress.NONE)) {
            return model.logits(ids, ids.length);
        }
    }
}
