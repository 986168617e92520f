package dev.troupe.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Checkpoints;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufFile;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damaged files are refused with the one exception that says so, or read without harm; never anything else. */
class GgufMutationTest {
    private static final long[] EXTREMES = {
        0, 1, 2, -1, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 31, 1L << 32, (1L << 32) - 1, 1L << 61, 1L << 62, 0x7fffffff
    };

    @TempDir
    Path directory;

    @Test
    void readsOrRefusesSmallModelsWithRandomDamage() throws IOException {
        List<byte[]> models =
                List.of(new TinyGguf("llama").tensor("rope_freqs.weight", 2).build(), new TinyGguf("qwen3").build());

        mutate(models, Integer.MAX_VALUE, TimeUnit.MILLISECONDS.toNanos(1500));
    }

    @Test
    void readsOrRefusesARealModelWithADamagedHeader() throws IOException {
        byte[] model = Files.readAllBytes(Checkpoints.shared("gguf/stories260K-Q8_0.gguf"));

        mutate(List.of(model), 14_071, TimeUnit.MILLISECONDS.toNanos(1000));
    }

    private void mutate(List<byte[]> models, int upTo, long nanos) throws IOException {
        long end = System.nanoTime() + nanos;
        int opened = 0;
        int refused = 0;
        for (int seed = 0; seed < 3000 && (seed < 50 || System.nanoTime() < end); seed++) {
            Random random = new Random(seed);
            byte[] damaged = damage(models.get(seed % models.size()).clone(), upTo, random);
            Path file = Files.write(directory.resolve("damaged-%d.gguf".formatted(seed)), damaged);
            try {
                readEverything(file);
                opened++;
            } catch (WeightFormatException e) {
                assertThat(e.getMessage())
                        .as("seed %d", seed)
                        .contains("damaged")
                        .hasSizeLessThan(1500);
                refused++;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("seed " + seed, e);
            }
            Files.delete(file);
        }
        assertThat(opened).isPositive();
        assertThat(refused).isPositive();
    }

    private static byte[] damage(byte[] bytes, int upTo, Random random) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int limit = Math.min(upTo, bytes.length);
        for (int left = 1 + random.nextInt(3); left > 0; left--) {
            int at = random.nextInt(limit - 8);
            switch (random.nextInt(5)) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes[at] = (byte) random.nextInt();
                case 2 -> buffer.putInt(at, (int) EXTREMES[random.nextInt(EXTREMES.length)]);
                case 3 -> buffer.putLong(at, EXTREMES[random.nextInt(EXTREMES.length)]);
                default -> System.arraycopy(bytes, random.nextInt(limit - 64), bytes, random.nextInt(limit - 64), 48);
            }
        }
        return bytes;
    }

    /** Opens the file as a model, reads every row, and asks for every key as every type. */
    private static void readEverything(Path file) throws IOException {
        askForEveryKey(GgufFile.open(file).metadata());
        try (Checkpoint checkpoint = Checkpoint.open(file);
                Arena arena = Arena.ofConfined()) {
            for (WeightTensor tensor : checkpoint.weights().tensors()) {
                assertThat(checkpoint.weights().bytes(tensor, arena).byteSize()).isEqualTo(tensor.byteSize());
            }
        }
    }

    private static void askForEveryKey(GgufMetadata metadata) {
        for (String key : metadata.keys()) {
            assertThat(metadata.shown(key)).isNotNull();
            for (ThrowingCallable question : List.<ThrowingCallable>of(
                    () -> metadata.text(key),
                    () -> metadata.integer(key),
                    () -> metadata.number(key),
                    () -> metadata.flag(key),
                    () -> metadata.texts(key),
                    () -> metadata.integers(key),
                    () -> metadata.numbers(key))) {
                ask(question);
            }
        }
    }

    private static void ask(ThrowingCallable question) {
        try {
            question.call();
        } catch (WeightFormatException e) {
            assertThat(e).hasMessageContaining("damaged");
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
