package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The logits of a token are the same bits, however the model is split, the prompt cut and the step filled. */
class SplitBitsTest {
    private static final KvSettings F16 = new KvSettings(KvType.F16, 16, 40);
    private static final KvSettings F32 = new KvSettings(KvType.F32, 32, 20);

    @ParameterizedTest
    @MethodSource("dev.troupe.model.Checkpoints#names")
    void sameForEveryPartition(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name)) {
            int[] ids = ids(checkpoint.config(), 37);
            Floats whole = logits(checkpoint, Partition.even(checkpoint.config(), 1, 1), F16, ids, 37);

            for (Partition partition : partitions(checkpoint.config())) {
                assertThat(logits(checkpoint, partition, F16, ids, 37))
                        .as("%s", partition)
                        .isEqualTo(whole);
            }
        }
    }

    /** Their blocks of 256 are cut by the chunks of rule 3. */
    @Tag("scenarios")
    @ParameterizedTest
    @ValueSource(strings = {"tiny-256:q4_k", "tiny-256:q6_k", "tiny-256:q4_k_m"})
    void sameForEveryPartitionOfSuperBlocks(String name) throws IOException {
        sameForEveryPartition(name);
    }

    /** Stages × ranks: 1×2, 1×3, 1×4, 2×1, 2×2, 4×2 and two uneven ones, as far as the model has layers and KV heads. */
    private static List<Partition> partitions(ModelConfig config) {
        List<Partition> partitions = new ArrayList<>();
        for (int[] degrees : new int[][] {{1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 2}, {4, 2}}) {
            if (degrees[0] <= config.layers() && degrees[1] <= config.kvHeads()) {
                partitions.add(Partition.even(config, degrees[0], degrees[1]));
            }
        }
        if (config.kvHeads() == 4 && config.layers() >= 4) {
            partitions.add(uneven(config, 1, 1, 3));
            partitions.add(uneven(config, 3, 3, 1));
        }
        assertThat(partitions).hasSizeGreaterThanOrEqualTo(config.kvHeads() == 4 ? 8 : 3);
        return partitions;
    }

    /** Two stages, the first one of {@code layers}; two ranks in each, with these KV groups; all vocabulary on one. */
    private static Partition uneven(ModelConfig config, int layers, int firstGroups, int secondGroups) {
        List<Partition.Rank> ranks = List.of(
                new Partition.Rank(0, firstGroups, 0, 0),
                new Partition.Rank(firstGroups, firstGroups + secondGroups, 0, config.vocabularySize()));
        return new Partition(
                List.of(new Partition.Stage(0, layers, ranks), new Partition.Stage(layers, config.layers(), ranks)));
    }

    @ParameterizedTest
    @MethodSource("dev.troupe.model.Checkpoints#names")
    void sameForEveryChunkOfThePrompt(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name)) {
            int[] ids = ids(checkpoint.config(), 37);
            Partition split = Partition.even(checkpoint.config(), 1, 2);
            Floats whole = logits(checkpoint, split, F32, ids, ids.length);

            for (int chunk : new int[] {1, 7, 32}) {
                assertThat(logits(checkpoint, split, F32, ids, chunk))
                        .as("chunk %d", chunk)
                        .isEqualTo(whole);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny:bf16", "tiny:q8_0"})
    void sameWhereAContextCrossesASpanOfAttention(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name)) {
            int[] ids = ids(checkpoint.config(), 150);
            Floats whole = logits(checkpoint, Partition.even(checkpoint.config(), 1, 1), F16, ids, ids.length);

            assertThat(logits(checkpoint, Partition.even(checkpoint.config(), 2, 3), F16, ids, 11))
                    .isEqualTo(whole);
        }
    }

    @ParameterizedTest
    @MethodSource("dev.troupe.model.Checkpoints#names")
    void sameAloneAndAmongEightSequences(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name);
                LocalModel model = load(checkpoint, Partition.even(checkpoint.config(), 2, 2), F16)) {
            List<int[]> prompts = IntStream.range(0, 8)
                    .mapToObj(s -> ids(checkpoint.config(), 3 + 4 * s))
                    .toList();
            List<Floats> alone = new ArrayList<>();
            for (int[] prompt : prompts) {
                alone.add(model.logits(prompt, prompt.length));
            }

            List<Floats> together = together(model, prompts);

            assertThat(together).isEqualTo(alone);
        }
    }

    /** Runs all prompts in common steps of up to five tokens each, in shuffled blocks of one store. */
    private static List<Floats> together(LocalModel model, List<int[]> prompts) {
        int[][] tables = shuffledTables(prompts.size(), 5);
        float[][] logits = new float[prompts.size()][0];
        for (int from = 0; ; from += 5) {
            List<int[]> tokens = new ArrayList<>();
            for (int s = 0; s < prompts.size(); s++) {
                for (int p = from; p < Math.min(from + 5, prompts.get(s).length); p++) {
                    tokens.add(new int[] {prompts.get(s)[p], p, s});
                }
            }
            if (tokens.isEmpty()) {
                break;
            }
            Floats rows = model.run(
                    new TokenBatch(column(tokens, 0), column(tokens, 1), column(tokens, 2), tables),
                    IntStream.range(0, tokens.size()).toArray());
            for (int t = 0; t < tokens.size(); t++) {
                logits[tokens.get(t)[2]] =
                        append(logits[tokens.get(t)[2]], rows.slice(t, t + 1).toArray());
            }
        }
        List<Floats> all = new ArrayList<>();
        for (int s = 0; s < prompts.size(); s++) {
            int rows = prompts.get(s).length;
            all.add(new Floats(rows, logits[s].length / rows, logits[s]));
        }
        return all;
    }

    private static int[] column(List<int[]> rows, int index) {
        return rows.stream().mapToInt(row -> row[index]).toArray();
    }

    private static float[] append(float[] values, float[] more) {
        float[] all = Arrays.copyOf(values, values.length + more.length);
        System.arraycopy(more, 0, all, values.length, more.length);
        return all;
    }

    private static int[][] shuffledTables(int sequences, int blocks) {
        List<Integer> ids =
                new ArrayList<>(IntStream.range(0, sequences * blocks).boxed().toList());
        Collections.shuffle(ids, new Random(4));
        return IntStream.range(0, sequences)
                .mapToObj(s -> ids.subList(s * blocks, (s + 1) * blocks).stream()
                        .mapToInt(Integer::intValue)
                        .toArray())
                .toArray(int[][]::new);
    }

    @Test
    void differWhereTheCacheRoundsDifferently() throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open("llama")) {
            int[] ids = ids(checkpoint.config(), 20);
            Partition whole = Partition.even(checkpoint.config(), 1, 1);

            assertThat(logits(checkpoint, whole, F16, ids, 20)).isNotEqualTo(logits(checkpoint, whole, F32, ids, 20));
        }
    }

    private static int[] ids(ModelConfig config, int length) {
        return new Random(length).ints(length, 0, config.vocabularySize()).toArray();
    }

    private static LocalModel load(Checkpoint checkpoint, Partition partition, KvSettings kv) throws IOException {
        return LocalModel.load(checkpoint, partition, ReferenceKernels::new, kv, LoadProgress.NONE);
    }

    private static Floats logits(Checkpoint checkpoint, Partition partition, KvSettings kv, int[] ids, int chunk)
            throws IOException {
        try (LocalModel model = load(checkpoint, partition, kv)) {
            return model.logits(ids, chunk);
        }
    }
}
