package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.tuple;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.DecoderTensors;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.SyntheticWeights;
import dev.troupe.weights.WeightSource;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DecoderShardTest {
    private static final KvSettings KV = new KvSettings(KvType.F16, 16, 4);

    private final List<AutoCloseable> opened = new ArrayList<>();

    @AfterEach
    void closeAll() throws Exception {
        for (AutoCloseable each : opened.reversed()) {
            each.close();
        }
    }

    @Test
    void givesItsPeersTheMaximalSubtreesOfItsGroups() throws IOException {
        DecoderShard shard = shard("tiny:f32", 1, 2, 0, 0);
        DecoderShard uneven = shard("tiny:f32", 1, 3, 0, 2);

        assertThat(shard.begin(batch(0, 5), null).compute())
                .extracting(SubtreeSum::from, SubtreeSum::to)
                .containsExactly(tuple(0, 2));
        assertThat(uneven.begin(batch(0, 5), null).compute())
                .extracting(SubtreeSum::from, SubtreeSum::to)
                .containsExactly(tuple(3, 4));
        assertThat(shard.segments()).isEqualTo(8);
        assertThat(shard.vocabularyRows()).isEqualTo(512);
        assertThat(uneven.firstVocabularyRow()).isEqualTo(512);
    }

    @Test
    void copiesNothingToTheHeapWhenItOwnsAllGroups() throws IOException {
        ShardStep step = shard("tiny:f32", 1, 1, 0, 0).begin(batch(0, 3), null);

        assertThat(step.compute()).isEmpty();
        step.finish(List.of());
    }

    @Test
    void keepsOpenStepsApart() throws IOException {
        DecoderShard shard = shard("tiny:q8_0", 1, 1, 0, 0);
        Floats first = run(shard, batch(0, 20));
        Floats second = run(shard, batch(20, 23));

        ShardStep one = shard.begin(batch(0, 20), null);
        ShardStep two = shard.begin(batch(20, 23), null);
        for (int segment = 0; segment < shard.segments(); segment++) {
            one.compute();
            two.compute();
            one.finish(List.of());
            two.finish(List.of());
        }

        assertThat(two.logits(new int[] {0, 1, 2})).isEqualTo(second);
        assertThat(one.logits(IntStream.range(0, 20).toArray())).isEqualTo(first);
        assertThat(one.logits(new int[] {19, 3}))
                .isEqualTo(new Floats(
                        2,
                        640,
                        concat(first.slice(19, 20).toArray(), first.slice(3, 4).toArray())));
        one.close();
        two.close();
    }

    @Test
    void growsItsWorkspaceUnderOpenSteps() throws IOException {
        DecoderShard shard = shard("tiny:bf16", 1, 1, 0, 0);
        Floats expected = run(shard, batch(0, 3));
        DecoderShard fresh = shard("tiny:bf16", 1, 1, 0, 0);
        ShardStep small = fresh.begin(batch(0, 3), null);
        small.compute();

        ShardStep large = fresh.begin(
                new TokenBatch(new int[40], IntStream.range(0, 40).toArray(), new int[40], new int[][] {{1, 2, 3}}),
                null);
        large.compute();
        small.finish(List.of());
        for (int segment = 1; segment < fresh.segments(); segment++) {
            small.compute();
            small.finish(List.of());
        }

        assertThat(small.logits(new int[] {0, 1, 2})).isEqualTo(expected);
    }

    @Test
    void givesTheStateBehindTheFinalNorm() throws IOException {
        ShardStep step = stepped(shard("tiny:f32", 1, 1, 0, 0), batch(0, 4));
        Floats hidden = step.hidden().floats();

        Floats normed = step.finalHidden(new int[] {2});

        double squares = 0;
        for (int i = 0; i < 64; i++) {
            squares += hidden.get(2, i) * hidden.get(2, i);
        }
        double ratio = normed.get(0, 0) / hidden.get(2, 0) * Math.sqrt(squares / 64 + 1e-5);
        assertThat(normed.rows()).isEqualTo(1);
        assertThat(ratio).isBetween(0.7, 1.3);
    }

    @Test
    void refusesCallsOutOfTurn() throws IOException {
        ShardStep step = shard("tiny:f32", 1, 1, 0, 0).begin(batch(0, 2), null);

        assertThatIllegalStateException().isThrownBy(() -> step.finish(List.of()));
        assertThatIllegalStateException().isThrownBy(step::hidden);
        step.compute();
        assertThatIllegalStateException()
                .isThrownBy(step::compute)
                .withMessageContaining("segment=0 of 8, computed=true");
        step.close();
        assertThatIllegalStateException().isThrownBy(() -> step.finish(List.of()));
    }

    @Test
    void refusesABatchThatDoesNotFit() throws IOException {
        DecoderShard shard = shard("tiny:f32", 2, 1, 0, 0);
        DecoderShard second = shard("tiny:f32", 2, 1, 1, 0);

        assertRefused(shard, tokens(640, 0, 0, 1), null, "id=640, the vocabulary has 640");
        assertRefused(shard, tokens(1, 64, 0, 1, 2, 3, 0), null, "position=64", "allow 64 positions");
        assertRefused(shard, tokens(1, 16, 0), null, "needs 2 blocks of 16 tokens, it has 1");
        assertRefused(shard, tokens(1, 16, 0, 4), null, "has block 4, the store has 4");
        assertRefused(shard, tokens(1, 0, 0), new Floats(1, 64, new float[64]), "looks its embeddings up");
        assertRefused(second, tokens(1, 0, 0), null, "needs a hidden state");
        assertRefused(second, tokens(1, 0, 0), new Floats(2, 64, new float[128]), "f32[2, 64], expected [1, 64]");
    }

    private static void assertRefused(DecoderShard shard, TokenBatch batch, @Nullable Floats hidden, String... says) {
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> shard.begin(batch, hidden))
                .satisfies(e -> assertThat(e.getMessage()).contains(says));
    }

    private static TokenBatch tokens(int id, int position, int... blocks) {
        return new TokenBatch(new int[] {id}, new int[] {position}, new int[1], new int[][] {blocks});
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void marksOnlyTheTokenWhoseValuesAreNotFinite(DType type) throws IOException {
        DecoderShard shard = shard(withInfiniteEmbedding(type, 5), 1, 1, 0, 0, KV);
        TokenBatch batch = new TokenBatch(
                new int[] {3, 5, 7}, new int[] {0, 0, 0}, new int[] {0, 1, 2}, new int[][] {{0}, {1}, {2}});

        ShardStep step = stepped(shard, batch);
        Floats logits = step.logits(new int[] {0, 1, 2});

        assertThat(step.failedTokens().stream()).containsExactly(1);
        assertThat(logits.get(0, 0)).isFinite();
        assertThat(logits.get(2, 639)).isFinite();
    }

    private static Checkpoint withInfiniteEmbedding(DType type, int id) {
        Checkpoint base = SyntheticModel.named(Checkpoints.tiny(type));
        WeightSource changed = new ChangedWeights(base.weights(), DecoderTensors.EMBEDDING, bytes -> {
            long row = id * type.rowBytes(base.config().hiddenSize());
            switch (type) {
                case F32 -> bytes.set(ValueLayout.JAVA_INT, row, Float.floatToRawIntBits(Float.POSITIVE_INFINITY));
                case BF16 -> bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, row, (short) 0x7f80);
                case MXFP4 -> bytes.set(ValueLayout.JAVA_BYTE, row, (byte) 255);
                case Q2_K -> bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, row + 80, (short) 0x7c00);
                case Q3_K -> bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, row + 108, (short) 0x7c00);
                case Q6_K -> bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, row + 208, (short) 0x7c00);
                default -> bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, row, (short) 0x7c00);
            }
        });
        return new Checkpoint("infinite", null, base.config(), changed);
    }

    @Test
    void marksTokensWhoseValuesOverflowTheCache() throws IOException {
        Checkpoint large = large("v_proj.weight", 1e6f);
        ShardStep narrow = stepped(shard(large, 1, 1, 0, 0, KV), batch(0, 2));
        ShardStep wide = stepped(shard(large, 1, 1, 0, 0, new KvSettings(KvType.F32, 16, 4)), batch(0, 2));

        assertThat(narrow.failedTokens().stream()).containsExactly(0, 1);
        assertThat(wide.failedTokens().stream()).isEmpty();
    }

    @Test
    void learnsOfTokensThatFailOnAPeerAlone() throws IOException {
        Checkpoint checkpoint = withLargeKeysOfTheLastGroup();
        ShardStep one = shard(checkpoint, 1, 2, 0, 0, KV).begin(batch(0, 2), null);
        ShardStep other = shard(checkpoint, 1, 2, 0, 1, KV).begin(batch(0, 2), null);
        ShardStep alone = stepped(shard(checkpoint, 1, 1, 0, 0, KV), batch(0, 2));

        exchangeAll(one, other, 8);

        assertThat(other.failedTokens()).isEqualTo(alone.failedTokens());
        assertThat(one.failedTokens()).isEqualTo(alone.failedTokens());
        assertThat(alone.failedTokens().stream()).containsExactly(0, 1);
    }

    /**
     * Keys of one group overflow the cache, so that all it gives is not finite; the product that adds it up rounds that to zeros, and
     * nobody else can see it.
     */
    static Checkpoint withLargeKeysOfTheLastGroup() {
        Checkpoint base = SyntheticModel.named("tiny:q8_0");
        WeightSource changed = new ChangedWeights(base.weights(), "model.layers.0.self_attn.k_proj.weight", bytes -> {
            long block = 34;
            for (long at = bytes.byteSize() / 4 * 3; at < bytes.byteSize(); at += block) {
                bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) 0x7bff);
            }
        });
        return new Checkpoint("large keys", null, base.config(), changed);
    }

    /** All segments of two ranks, in turn. */
    static void exchangeAll(ShardStep one, ShardStep other, int segments) {
        for (int segment = 0; segment < segments; segment++) {
            List<SubtreeSum> sums = one.compute();
            one.finish(other.compute());
            other.finish(sums);
        }
    }

    @Test
    void marksTokensWhoseLogitsOverflow() throws IOException {
        ShardStep step = stepped(shard(large("lm_head.weight", 3e38f), 1, 1, 0, 0, KV), batch(0, 3));

        assertThat(step.failedTokens().stream()).isEmpty();
        step.logits(new int[] {0, 2});
        assertThat(step.failedTokens().stream()).containsExactly(0, 2);
    }

    /** The tiny f32 model with elements of up to {@code spread} in the matrices whose names end like that. */
    static Checkpoint large(String suffix, float spread) {
        Checkpoint base = SyntheticModel.named("tiny:f32");
        List<SyntheticWeights.Recipe> recipes = base.weights().tensors().stream()
                .map(tensor -> SyntheticWeights.Recipe.of(
                        tensor.name(),
                        DType.F32,
                        tensor.shape(),
                        tensor.shape().size() == 1 ? 1 : 0,
                        tensor.name().endsWith(suffix) ? spread : 0.2f))
                .toList();
        return new Checkpoint("large", null, base.config(), new SyntheticWeights("large", 1, recipes));
    }

    private DecoderShard shard(String name, int stages, int ranks, int stage, int rank) throws IOException {
        return shard(SyntheticModel.named(name), stages, ranks, stage, rank, KV);
    }

    private DecoderShard shard(Checkpoint checkpoint, int stages, int ranks, int stage, int rank, KvSettings kv)
            throws IOException {
        ShardSlice slice =
                ShardSlice.of(checkpoint.config(), Partition.even(checkpoint.config(), stages, ranks), stage, rank);
        DecoderShard shard = new DecoderShard(
                WeightLoader.load(checkpoint, slice, 1, RowCheck.NONE, LoadProgress.NONE), new ReferenceKernels(), kv);
        opened.add(shard);
        return shard;
    }

    /** Tokens at positions {@code [from, to)} of one sequence. */
    private static TokenBatch batch(int from, int to) {
        int[] positions = IntStream.range(from, to).toArray();
        int[] ids = IntStream.of(positions).map(p -> 7 * p % 640).toArray();
        return new TokenBatch(ids, positions, new int[to - from], new int[][] {{3, 0, 2}});
    }

    private static ShardStep stepped(DecoderShard shard, TokenBatch batch) {
        ShardStep step = shard.begin(batch, null);
        for (int segment = 0; segment < shard.segments(); segment++) {
            step.compute();
            step.finish(List.of());
        }
        return step;
    }

    private static Floats run(DecoderShard shard, TokenBatch batch) {
        try (ShardStep step = stepped(shard, batch)) {
            return step.logits(IntStream.range(0, batch.tokens()).toArray());
        }
    }

    private static float[] concat(float[] a, float[] b) {
        float[] all = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }
}
