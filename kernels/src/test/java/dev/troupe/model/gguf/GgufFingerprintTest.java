package dev.troupe.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Checkpoints;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.Fingerprint;
import dev.troupe.model.checkpoint.FingerprintStore;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two GGUF files are one model if tensors and metadata are the same, wherever they lie and however they are split. */
class GgufFingerprintTest {
    @TempDir
    Path directory;

    private static boolean all(WeightTensor tensor) {
        return tensor.elements() >= 0;
    }

    private Path write(String name, Consumer<GgufWriter> more, Predicate<WeightTensor> tensors) throws IOException {
        try (Checkpoint llama = Checkpoints.open("llama")) {
            return GgufCopy.write(llama, directory.resolve(name), more, tensors);
        }
    }

    private static Fingerprint fingerprint(Path path) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            return Fingerprint.compute(checkpoint, LoadProgress.NONE);
        }
    }

    @Test
    void isTheSameForACopyAndForAFileSplitInTwo() throws IOException {
        Fingerprint whole = fingerprint(write("a.gguf", writer -> {}, GgufFingerprintTest::all));
        List<Consumer<GgufWriter>> keys = List.of(
                writer -> writer.integer("split.no", 0).integer("split.count", 2),
                writer -> writer.integer("split.no", 1).integer("split.count", 2));
        write("b-00001-of-00002.gguf", keys.get(0), tensor -> tensor.name().contains("layers"));
        Path second = write(
                "b-00002-of-00002.gguf", keys.get(1), tensor -> !tensor.name().contains("layers"));

        assertThat(fingerprint(write("copy.gguf", writer -> {}, GgufFingerprintTest::all))
                        .value())
                .isEqualTo(whole.value());
        assertThat(fingerprint(second).value()).isEqualTo(whole.value());
        assertThat(whole.parts()).containsKeys("key llama.block_count", "tensor lm_head.weight");
    }

    @Test
    void differsWithOneBitOfATensorOrAKeyAndNamesIt() throws IOException {
        Path path = write("a.gguf", writer -> {}, GgufFingerprintTest::all);
        Fingerprint before = fingerprint(path);
        byte[] bytes = Files.readAllBytes(path);
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            WeightTensor last = checkpoint.weights().require("model.norm.weight");
            assertThat(last.byteSize() % 32).isZero();
        }
        bytes[bytes.length - 1] ^= 1;
        Files.write(directory.resolve("b.gguf"), bytes);

        assertThat(before.firstDifference(
                        fingerprint(directory.resolve("b.gguf")).parts()))
                .contains("tensor model.norm.weight");
        assertThat(before.firstDifference(fingerprint(
                                write("c.gguf", writer -> writer.text("general.name", "x"), GgufFingerprintTest::all))
                        .parts()))
                .contains("key general.name");
    }

    @Test
    void isRememberedBesideTheFileUntilItChanges() throws IOException {
        Path path = write("a.gguf", writer -> {}, GgufFingerprintTest::all);
        AtomicInteger pieces = new AtomicInteger();
        FingerprintStore store = new FingerprintStore(null);
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            LoadProgress counting = (done, total) -> pieces.incrementAndGet();

            String first = store.of(checkpoint, counting).value();
            int computed = pieces.getAndSet(0);
            String remembered = store.of(checkpoint, counting).value();
            int afterHit = pieces.getAndSet(0);
            Files.setLastModifiedTime(path, FileTime.fromMillis(1_000_000_000_000L));
            String again = store.of(checkpoint, counting).value();

            assertThat(computed).isPositive().isEqualTo(pieces.get());
            assertThat(afterHit).isZero();
            assertThat(first)
                    .isEqualTo(remembered)
                    .isEqualTo(again)
                    .isEqualTo(fingerprint(path).value());
            assertThat(directory.resolve(FingerprintStore.FILE + "-a.gguf")).isRegularFile();
        }
    }
}
