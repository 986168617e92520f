package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Attention and the cache's writer have the reference's bits, for any batch, head size, block size and window. */
@Tag("vector-width")
class AttentionBitsTest {
    private static final Backends BACKENDS = new Backends();
    private static final int CONTEXT = 290;

    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(41);

    @AfterAll
    static void close() {
        BACKENDS.close();
    }

    @Test
    void equalsTheReferenceForEveryHeadDimension() {
        for (KvType type : KvType.values()) {
            for (int headDim : new int[] {2, 16, 24, 64, 80, 96, 128, 256}) {
                assertAttention(type, 2, 2, headDim, 32, 0);
            }
        }
    }

    @Test
    void equalsTheReferenceForEverySizeOfAGroup() {
        for (int perGroup = 1; perGroup <= 9; perGroup++) {
            assertAttention(KvType.F16, 1, perGroup, 24, 16, 0);
        }
    }

    @Test
    void equalsTheReferenceForEveryBlockSizeAndWindow() {
        for (int blockSize : KvStore.BLOCK_SIZES) {
            for (int window : new int[] {1, 2, 8, 33, 128, 150, 4096}) {
                assertAttention(KvType.F16, 2, 2, 16, blockSize, window);
            }
        }
    }

    @Test
    void equalsTheReferenceForSingleTokensAtTheEndsOfBlocksAndSpans() {
        int[] perGroups = {1, 2, 3, 4, 5, 6, 7, 8};
        int[] headDims = {64, 80, 96, 128, 256, 24};
        int round = 0;
        for (int blockSize : KvStore.BLOCK_SIZES) {
            for (int window : new int[] {0, 1, 31, 100, 129}) {
                for (int i = 0; i < 2; i++, round++) {
                    int perGroup = perGroups[round % perGroups.length];
                    assertSingleTokens(2 + round % 3, perGroup, headDims[round % headDims.length], blockSize, window);
                }
            }
        }
    }

    /** Two sequences with one token each and sometimes a third with two, at positions around ends; of a poisoned cache. */
    private void assertSingleTokens(int kvHeads, int perGroup, int headDim, int blockSize, int window) {
        int columns = (perGroup + 2) * kvHeads * headDim;
        String what =
                "%d x %d heads of %d, blocks of %d, window %d".formatted(kvHeads, perGroup, headDim, blockSize, window);
        Tensor past = Samples.floats(arena, CONTEXT, columns, random);
        int[] ends = {0, 15, 16, 31, 32, 63, 64, 95, 126, 127, 128, 129, 160, 255, 256, 257, 288};
        try (KvStore store = store(KvType.F16, kvHeads, headDim, blockSize, 3 * (CONTEXT / blockSize + 1))) {
            BACKENDS.reference.storeKv(
                    store, 1, past, batch(blockSize, new int[] {0}, new int[] {CONTEXT}), TokenFlags.onHost());
            fillAll(store, past, blockSize);
            for (int i = 0; i < ends.length; i++) {
                int[] starts = {ends[i], ends[(i + 5) % ends.length] % 140, 127};
                TokenBatch step = batch(blockSize, starts, new int[] {1, 1, i % 3 == 0 ? 2 : 0});
                Tensor qkv = Samples.floats(arena, step.tokens(), columns, random);
                Tensor expected = Tensor.floats(arena, step.tokens(), kvHeads * perGroup * headDim);
                BACKENDS.reference.attention(store, 1, qkv, 0.2f, window, step, expected);
                for (VectorKernels kernels : BACKENDS.vector) {
                    Tensor y = Backends.output(arena, step.tokens() + 1, expected.columns());

                    kernels.attention(store, 1, qkv, 0.2f, window, step, y);

                    Backends.assertRows(
                            what + ", " + kernels.description() + ", position " + ends[i], expected, y, step.tokens());
                }
            }
        }
    }

    /** A poisoned cache, three sequences in one step, then single tokens; every bit of cache and result is compared. */
    private void assertAttention(KvType type, int kvHeads, int perGroup, int headDim, int blockSize, int window) {
        int columns = (perGroup + 2) * kvHeads * headDim;
        int blocks = 3 * (CONTEXT / blockSize + 1);
        String what = "%s, %d x %d heads of %d, blocks of %d, window %d"
                .formatted(type.label(), kvHeads, perGroup, headDim, blockSize, window);
        Tensor past = Samples.floats(arena, CONTEXT, columns, random);
        TokenBatch fill = batch(blockSize, new int[] {0}, new int[] {CONTEXT});
        TokenBatch step = batch(blockSize, new int[] {250, 0, 120}, new int[] {40, 20, 13});
        Tensor qkv = Samples.floats(arena, step.tokens(), columns, random);
        try (KvStore expectedStore = store(type, kvHeads, headDim, blockSize, blocks)) {
            fillAll(expectedStore, past, blockSize);
            Tensor expected = Tensor.floats(arena, step.tokens(), kvHeads * perGroup * headDim);
            BACKENDS.reference.storeKv(expectedStore, 1, past, fill, TokenFlags.onHost());
            BACKENDS.reference.storeKv(expectedStore, 1, qkv, step, TokenFlags.onHost());
            BACKENDS.reference.attention(expectedStore, 1, qkv, 0.3f, window, step, expected);
            for (VectorKernels kernels : BACKENDS.vector) {
                try (KvStore store = store(type, kvHeads, headDim, blockSize, blocks)) {
                    fillAll(store, past, blockSize);
                    Tensor y = Backends.output(arena, step.tokens() + 1, expected.columns());
                    kernels.storeKv(store, 1, past, fill, TokenFlags.onHost());
                    kernels.storeKv(store, 1, qkv, step, TokenFlags.onHost());
                    kernels.attention(store, 1, qkv, 0.3f, window, step, y);

                    assertThat(store.keys(1).mismatch(expectedStore.keys(1)))
                            .as(what)
                            .isEqualTo(-1);
                    assertThat(store.values(1).mismatch(expectedStore.values(1)))
                            .as(what)
                            .isEqualTo(-1);
                    Backends.assertRows(what, expected, y, step.tokens());
                    assertOneByOne(what, kernels, store, qkv, window, step, blockSize, expected);
                }
            }
        }
    }

    /** Every token alone, with the others of its step in the cache: the causal mask must hide them. */
    private void assertOneByOne(
            String what,
            VectorKernels kernels,
            KvStore store,
            Tensor qkv,
            int window,
            TokenBatch step,
            int blockSize,
            Tensor expected) {
        for (int t = 0; t < step.tokens(); t += 3) {
            int[] counts = new int[3];
            int[] starts = new int[3];
            counts[step.sequence(t)] = 1;
            starts[step.sequence(t)] = step.position(t);
            Tensor row = Tensor.floats(arena, 1, qkv.columns());
            row.setRows(0, qkv.copyRows(t, t + 1));
            Tensor y = Tensor.floats(arena, 1, expected.columns());

            kernels.attention(store, 1, row, 0.3f, window, batch(blockSize, starts, counts), y);

            assertThat(y.copyRows(0, 1)).as("%s, token %d", what, t).isEqualTo(expected.copyRows(t, t + 1));
        }
    }

    /** Sequences 1 and 2 get the past of sequence 0 by the reference's own writer. */
    private static void fillAll(KvStore store, Tensor past, int blockSize) {
        for (int s = 1; s < 3; s++) {
            int[] counts = new int[s + 1];
            counts[s] = CONTEXT / 2;
            BACKENDS.reference.storeKv(store, 1, past, batch(blockSize, new int[s + 1], counts), TokenFlags.onHost());
        }
    }

    private static KvStore store(KvType type, int kvHeads, int headDim, int blockSize, int blocks) {
        KvStore store = new KvStore(type, 2, kvHeads, headDim, blockSize, blocks);
        store.keys(1).fill((byte) 0x7f);
        store.values(1).fill((byte) 0x7f);
        return store;
    }

    /** {@code counts[s]} tokens of sequence s from position {@code starts[s]}; the blocks of sequences alternate. */
    private static TokenBatch batch(int blockSize, int[] starts, int[] counts) {
        int tokens = 0;
        for (int count : counts) {
            tokens += count;
        }
        int[] positions = new int[tokens];
        int[] sequences = new int[tokens];
        int[][] tables = new int[counts.length][CONTEXT / blockSize + 1];
        int t = 0;
        for (int s = 0; s < counts.length; s++) {
            for (int i = 0; i < counts[s]; i++, t++) {
                positions[t] = starts[s] + i;
                sequences[t] = s;
            }
            for (int b = 0; b < tables[s].length; b++) {
                tables[s][b] = 3 * (tables[s].length - 1 - b) + s;
            }
        }
        return new TokenBatch(new int[tokens], positions, sequences, tables);
    }

    @Test
    void marksTheTokensThatTheReferenceMarks() {
        for (KvType type : KvType.values()) {
            Tensor qkv = Samples.floats(arena, 40, 4 * 16, random);
            qkv.set(3, 40, 65519.99f);
            qkv.set(4, 40, 65520f);
            qkv.set(17, 63, Float.NEGATIVE_INFINITY);
            qkv.set(18, 0, Float.NaN);
            qkv.set(39, 32, Float.NaN);
            TokenBatch batch = batch(32, new int[] {5}, new int[] {40});
            TokenFlags expected = TokenFlags.onHost();
            try (KvStore expectedStore = store(type, 1, 16, 32, 40)) {
                BACKENDS.reference.storeKv(expectedStore, 1, qkv, batch, expected);
                for (VectorKernels kernels : BACKENDS.vector) {
                    try (KvStore store = store(type, 1, 16, 32, 40)) {
                        TokenFlags actual = TokenFlags.onHost();
                        kernels.storeKv(store, 1, qkv, batch, actual);
                        assertThat(actual.marked()).isEqualTo(expected.marked());
                        // what is not finite is stored as zero
                        assertThat(store.keys(1).mismatch(expectedStore.keys(1)))
                                .isEqualTo(-1);
                        assertThat(store.values(1).mismatch(expectedStore.values(1)))
                                .isEqualTo(-1);
                    }
                }
            }
            assertThat(expected.marked().cardinality()).isEqualTo(type == KvType.F16 ? 3 : 2);
        }
    }
}
