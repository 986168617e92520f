package dev.troupe.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Partition;
import dev.troupe.model.decoder.ShardSlice;
import dev.troupe.model.decoder.WeightLoader;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FingerprintTest {
    @TempDir
    Path directory;

    @Test
    void isTheSameForACopyElsewhere() throws IOException {
        try (Checkpoint original = Checkpoint.open(Checkpoints.golden("llama31-bf16-sharded"));
                Checkpoint copy = Checkpoint.open(copy("llama31-bf16-sharded"))) {
            Fingerprint first = Fingerprint.compute(original, LoadProgress.NONE);
            Fingerprint second = Fingerprint.compute(copy, LoadProgress.NONE);

            assertThat(first.value()).matches("[0-9a-f]{64}").isEqualTo(second.value());
            assertThat(first.firstDifference(second.parts())).isEmpty();
            assertThat(first.parts()).containsKeys("file config.json", "tensor lm_head.weight");
        }
    }

    @Test
    void changesWithOneBitOfATensorAndNamesIt() throws IOException {
        Path path = copy("llama");
        String before = value(path);
        try (Checkpoint original = Checkpoint.open(Checkpoints.golden("llama"))) {
            flipBit(path, "model.layers.1.mlp.up_proj.weight", 5000);
            try (Checkpoint changed = Checkpoint.open(path)) {
                Fingerprint after = Fingerprint.compute(changed, LoadProgress.NONE);

                assertThat(after.value()).isNotEqualTo(before);
                assertThat(after.firstDifference(
                                Fingerprint.compute(original, LoadProgress.NONE).parts()))
                        .contains("tensor model.layers.1.mlp.up_proj.weight");
            }
        }
    }

    @Test
    void changesWithTheConfigurationAndTheTokenizer() throws IOException {
        Path path = copy("llama");
        String before = value(path);

        Files.writeString(path.resolve("tokenizer.json"), "{}");
        String withTokenizer = value(path);
        Files.writeString(
                path.resolve("config.json"),
                Files.readString(path.resolve("config.json")).replace("10000.0", "10001.0"));

        assertThat(withTokenizer).isNotEqualTo(before);
        assertThat(value(path)).isNotIn(before, withTokenizer);
    }

    @Test
    void findsTheRankWhosePiecesHaveChangedAndNoOther() throws IOException {
        Path path = copy("llama");
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            Fingerprint fingerprint = Fingerprint.compute(checkpoint, LoadProgress.NONE);
            // Row 0 of the query matrix of layer 1: rank 0 of the second stage has it.
            flipBit(path, "model.layers.1.self_attn.q_proj.weight", 0);

            Partition split = Partition.even(checkpoint.config(), 2, 1);
            load(checkpoint, fingerprint, ShardSlice.of(checkpoint.config(), split, 0, 0));
            assertThatExceptionOfType(WeightFormatException.class)
                    .isThrownBy(() -> load(checkpoint, fingerprint, ShardSlice.of(checkpoint.config(), split, 1, 0)))
                    .withMessageContaining("rows 0 to 63 of tensor 'model.layers.1.self_attn.q_proj.weight'")
                    .withMessageContaining(fingerprint.value());
        }
    }

    private static void load(Checkpoint checkpoint, Fingerprint fingerprint, ShardSlice slice) throws IOException {
        WeightLoader.load(checkpoint, slice, 1, fingerprint.check(checkpoint.weights()), LoadProgress.NONE)
                .close();
    }

    @Test
    void isComputedOnceAndAgainWhenAFileHasChanged() throws IOException {
        Path path = copy("llama");
        FingerprintStore store = new FingerprintStore(directory.resolve("cache"));
        AtomicInteger pieces = new AtomicInteger();
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            LoadProgress counting = (done, total) -> pieces.incrementAndGet();

            String first = store.of(checkpoint, counting).value();
            int computed = pieces.getAndSet(0);
            String remembered = store.of(checkpoint, counting).value();
            int afterHit = pieces.getAndSet(0);
            Files.setLastModifiedTime(path.resolve("model.safetensors"), FileTime.fromMillis(1_000_000_000_000L));
            String again = store.of(checkpoint, counting).value();

            assertThat(computed).isPositive();
            assertThat(afterHit).isZero();
            assertThat(pieces).hasValue(computed);
            assertThat(first).isEqualTo(remembered).isEqualTo(again);
        }
    }

    @Test
    void isNotTakenFromADamagedStore() throws IOException {
        Path path = copy("llama");
        FingerprintStore store = new FingerprintStore(null);
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            String right = store.of(checkpoint, LoadProgress.NONE).value();
            Path file = path.resolve(FingerprintStore.FILE);
            byte[] bytes = Files.readAllBytes(file);
            for (int i = 0; i < bytes.length; i += 97) {
                byte[] damaged = bytes.clone();
                damaged[i] ^= 1;
                Files.write(file, damaged);

                assertThat(store.of(checkpoint, LoadProgress.NONE).value()).isEqualTo(right);
            }
            Files.write(file, new byte[3]);
            assertThat(store.of(checkpoint, LoadProgress.NONE).value()).isEqualTo(right);
        }
    }

    private static String value(Path path) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            return Fingerprint.compute(checkpoint, LoadProgress.NONE).value();
        }
    }

    private Path copy(String name) throws IOException {
        Path target = Files.createDirectory(directory.resolve(name));
        try (Stream<Path> files = Files.list(Checkpoints.golden(name))) {
            for (Path file : files.toList()) {
                Files.copy(file, target.resolve(String.valueOf(file.getFileName())));
            }
        }
        return target;
    }

    /** Flips a bit in the file, at a byte of a tensor that is found by where it lies in the mapping. */
    private static void flipBit(Path path, String tensor, long offset) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(path);
                RandomAccessFile file =
                        new RandomAccessFile(path.resolve("model.safetensors").toFile(), "rw")) {
            WeightTensor described = checkpoint.weights().require(tensor);
            long begin = beginOf(path, tensor) + offset;
            assertThat(offset).isLessThan(described.byteSize());
            file.seek(begin);
            int value = file.read();
            file.seek(begin);
            file.write(value ^ 4);
        }
    }

    private static long beginOf(Path path, String tensor) throws IOException {
        byte[] bytes = Files.readAllBytes(path.resolve("model.safetensors"));
        int length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt();
        return 8
                + length
                + new ObjectMapper()
                        .readTree(bytes, 8, length)
                        .get(tensor)
                        .get("data_offsets")
                        .get(0)
                        .longValue();
    }
}
