package dev.troupe.kernel.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ReferenceAttentionTest {
    private static final int KV_HEADS = 2;
    private static final int PER_GROUP = 3;
    private static final int HEAD_DIM = 24;
    private static final int HEADS = KV_HEADS * PER_GROUP;
    private static final int WIDTH = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
    private static final float SCALE = 0.2f;

    private final Arena arena = Arena.ofAuto();
    private final ReferenceKernels kernels = new ReferenceKernels();

    /** Tokens of one sequence from {@code position}, whose blocks of any size are numbered downwards from 40. */
    static TokenBatch batch(int[] ids, int position) {
        int[] positions = new int[ids.length];
        int[] table = new int[20];
        for (int t = 0; t < ids.length; t++) {
            positions[t] = position + t;
        }
        for (int b = 0; b < table.length; b++) {
            table[b] = 40 - b;
        }
        return new TokenBatch(ids, positions, new int[ids.length], new int[][] {table});
    }

    private static KvStore poisonedStore(KvType type, int blockSize) {
        KvStore store = new KvStore(type, 2, KV_HEADS, HEAD_DIM, blockSize, 41);
        for (int layer = 0; layer < 2; layer++) {
            store.keys(layer).fill((byte) 0x7f);
            store.values(layer).fill((byte) 0x7f);
        }
        return store;
    }

    @Test
    void attendsAsDoublesDoWhateverTheBlockSizeWindowAndType() {
        int tokens = 300;
        Tensor qkv = Samples.floats(arena, tokens, WIDTH, new Random(3));
        for (KvType type : KvType.values()) {
            for (int blockSize : KvStore.BLOCK_SIZES) {
                for (int window : new int[] {0, 1, 8, 150}) {
                    try (KvStore store = poisonedStore(type, blockSize)) {
                        Tensor y = Tensor.floats(arena, tokens, HEADS * HEAD_DIM);
                        TokenBatch batch = batch(new int[tokens], 0);
                        TokenFlags overflowed = TokenFlags.onHost();

                        kernels.storeKv(store, 1, qkv, batch, overflowed);
                        kernels.attention(store, 1, qkv, SCALE, window, batch, y);

                        assertThat(overflowed.marked().isEmpty()).isTrue();
                        for (int t : new int[] {0, 1, 7, 127, 128, 255, 299}) {
                            for (int h = 0; h < HEADS; h++) {
                                assertAttention(type, qkv, t, h, window, y);
                            }
                        }
                    }
                }
            }
        }
    }

    private static void assertAttention(KvType type, Tensor qkv, int token, int head, int window, Tensor y) {
        int kvHead = head / PER_GROUP;
        int first = window == 0 ? 0 : Math.max(0, token - window + 1);
        double[] p = new double[token - first + 1];
        double most = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < p.length; i++) {
            for (int e = 0; e < HEAD_DIM; e++) {
                p[i] += qkv.get(token, head * HEAD_DIM + e) * cached(type, qkv, first + i, HEADS + kvHead, e);
            }
            p[i] *= SCALE;
            most = Math.max(most, p[i]);
        }
        double sum = 0;
        double[] expected = new double[HEAD_DIM];
        for (int i = 0; i < p.length; i++) {
            double weight = Math.exp(p[i] - most);
            sum += weight;
            for (int e = 0; e < HEAD_DIM; e++) {
                expected[e] += weight * cached(type, qkv, first + i, HEADS + KV_HEADS + kvHead, e);
            }
        }
        for (int e = 0; e < HEAD_DIM; e++) {
            assertThat((double) y.get(token, head * HEAD_DIM + e)).isCloseTo(expected[e] / sum, within(2e-6));
        }
    }

    private static double cached(KvType type, Tensor qkv, int token, int head, int element) {
        float value = qkv.get(token, head * HEAD_DIM + element);
        return type == KvType.F16 ? Float.float16ToFloat(Float.floatToFloat16(value)) : value;
    }

    @Test
    void seesThroughTheCachesRoundingAlsoInItsOwnStep() {
        try (KvStore store = poisonedStore(KvType.F16, 32)) {
            Tensor qkv = Samples.floats(arena, 1, WIDTH, new Random(5));
            Tensor y = Tensor.floats(arena, 1, HEADS * HEAD_DIM);
            TokenBatch batch = batch(new int[1], 0);

            kernels.storeKv(store, 0, qkv, batch, TokenFlags.onHost());
            kernels.attention(store, 0, qkv, SCALE, 0, batch, y);

            // one visible position has the weight 1 exactly
            int value = (HEADS + KV_HEADS + 1) * HEAD_DIM + 5;
            assertThat(y.get(0, 4 * HEAD_DIM + 5))
                    .isEqualTo(Float.float16ToFloat(Float.floatToFloat16(qkv.get(0, value))))
                    .isNotEqualTo(qkv.get(0, value));
        }
    }

    @Test
    void givesTheSameBitsForAnyChunkOfThePrompt() {
        int tokens = 140;
        Tensor qkv = Samples.floats(arena, tokens, WIDTH, new Random(4));
        try (KvStore whole = poisonedStore(KvType.F16, 16);
                KvStore single = poisonedStore(KvType.F16, 64)) {
            Tensor expected = Tensor.floats(arena, tokens, HEADS * HEAD_DIM);
            kernels.storeKv(whole, 0, qkv, batch(new int[tokens], 0), TokenFlags.onHost());
            kernels.attention(whole, 0, qkv, SCALE, 0, batch(new int[tokens], 0), expected);

            Tensor actual = Tensor.floats(arena, tokens, HEADS * HEAD_DIM);
            for (int t = 0; t < tokens; t++) {
                Tensor row = Tensor.floats(arena, 1, WIDTH);
                row.setRows(0, qkv.copyRows(t, t + 1));
                Tensor y = Tensor.floats(arena, 1, HEADS * HEAD_DIM);
                kernels.storeKv(single, 0, row, batch(new int[1], t), TokenFlags.onHost());
                kernels.attention(single, 0, row, SCALE, 0, batch(new int[1], t), y);
                actual.setRows(t, y.copyRows(0, 1));
            }

            assertThat(actual.copyRows(0, tokens)).isEqualTo(expected.copyRows(0, tokens));
        }
    }

    @Test
    void marksTokensWhoseKeysOrValuesOverflowTheCache() {
        Tensor qkv = Samples.floats(arena, 4, WIDTH, new Random(6));
        qkv.set(1, HEADS * HEAD_DIM + 3, 65520f);
        qkv.set(2, (HEADS + KV_HEADS) * HEAD_DIM + 30, Float.NaN);
        qkv.set(3, 0, 1e30f); // a query is not cached
        try (KvStore halves = poisonedStore(KvType.F16, 16);
                KvStore floats = poisonedStore(KvType.F32, 16)) {
            TokenFlags overflowedHalves = TokenFlags.onHost();
            TokenFlags overflowedFloats = TokenFlags.onHost();

            kernels.storeKv(halves, 0, qkv, batch(new int[4], 14), overflowedHalves);
            kernels.storeKv(floats, 0, qkv, batch(new int[4], 14), overflowedFloats);

            assertThat(overflowedHalves.marked().stream()).containsExactly(1, 2);
            assertThat(overflowedFloats.marked().stream()).containsExactly(2);
        }
    }

    @Test
    void refusesAPositionWithoutABlock() {
        try (KvStore store = poisonedStore(KvType.F16, 16)) {
            Tensor qkv = Tensor.floats(arena, 1, WIDTH);
            TokenBatch beyond = new TokenBatch(new int[1], new int[] {16}, new int[1], new int[][] {{0}});
            TokenBatch wrong = new TokenBatch(new int[1], new int[] {16}, new int[1], new int[][] {{-1, 41}});

            assertThatThrownBy(() -> kernels.storeKv(store, 0, qkv, beyond, TokenFlags.onHost()))
                    .hasMessage("storeKv: sequence 0 has a token at position 16, but only 1 blocks of 16 tokens");
            assertThatThrownBy(() -> kernels.storeKv(store, 0, qkv, wrong, TokenFlags.onHost()))
                    .hasMessage("storeKv: position 16 of sequence 0 lies in block 41, the store has 41");
            assertThatThrownBy(() -> kernels.storeKv(store, 2, qkv, beyond, TokenFlags.onHost()))
                    .hasMessageContaining("layer=2 of 2");
        }
    }
}
