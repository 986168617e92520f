package dev.troupe.kernel.check;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.BlockCopies;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/** The checks of the cache's writer and of attention over it. */
final class CacheChecks {
    /** Ties of f16, its least and largest values, and what it has not. */
    private static final float[] EDGES = {
        0x1.002p0f,
        0x1.006p0f,
        0x1p-24f,
        0x1p-25f,
        0x1.8p-25f,
        0x1.ffep-15f,
        65519.996f,
        -65520f,
        1e9f,
        Float.NaN,
        Float.NEGATIVE_INFINITY,
        -0f,
        Float.MIN_VALUE
    };

    /** No value that is stored here has such bytes. */
    private static final byte POISON = 0x7b;

    private static final float SCALE = 0.3f;
    private static final int LAYER = 1;

    private CacheChecks() {}

    /** {@code counts[s]} tokens of sequence s, from position {@code starts[s]}. */
    private static final class Step {
        private final int[] starts;
        private final int[] counts;

        Step(int[] starts, int[] counts) {
            this.starts = starts;
            this.counts = counts;
        }

        TokenBatch batch(int blockSize) {
            return batch(blockSize, starts, counts);
        }

        /** What the sequences have before it. */
        TokenBatch past(int blockSize) {
            return batch(blockSize, new int[starts.length], starts);
        }

        /** The blocks of sequences alternate, those of a sequence descend. */
        private TokenBatch batch(int blockSize, int[] from, int[] of) {
            int tokens = IntStream.of(of).sum();
            int[] positions = new int[tokens];
            int[] sequences = new int[tokens];
            int[][] tables = new int[of.length][blocks(blockSize) / of.length];
            int t = 0;
            for (int s = 0; s < of.length; s++) {
                for (int i = 0; i < of[s]; i++, t++) {
                    positions[t] = from[s] + i;
                    sequences[t] = s;
                }
                for (int b = 0; b < tables[s].length; b++) {
                    tables[s][b] = of.length * (tables[s].length - 1 - b) + s;
                }
            }
            return new TokenBatch(new int[tokens], positions, sequences, tables);
        }

        int blocks(int blockSize) {
            int most = IntStream.range(0, counts.length)
                    .map(s -> starts[s] + counts[s])
                    .max()
                    .orElse(0);
            return counts.length * (most / blockSize + 1);
        }
    }

    /** Tokens of three sequences, past the ends of spans and blocks. */
    private static final Step MIXED = new Step(new int[] {250, 0, 125}, new int[] {9, 3, 5});

    /** More tokens than spans are taken for. */
    private static final Step PREFILL = new Step(new int[] {100}, new int[] {66});

    private static final List<Step> DECODE = List.of(
            new Step(new int[] {0, 127}, new int[] {1, 1}),
            new Step(new int[] {128, 255}, new int[] {1, 1}),
            new Step(new int[] {256}, new int[] {1}));

    private static final Step LONG_DECODE = new Step(new int[] {700, 1500, 3}, new int[] {1, 1, 1});
    private static final Step LONG_PREFILL = new Step(new int[] {300}, new int[] {128});

    /** Stores on both sides, filled with a large number; a kernel that takes one for a value has other bits. */
    private record Stores(KvStore plain, KvStore tested) implements AutoCloseable {
        static Stores of(Cases cases, KvType type, int kvHeads, int headDim, int blockSize, int blocks) {
            Stores stores = new Stores(
                    new KvStore(type, 2, kvHeads, headDim, blockSize, blocks),
                    new KvStore(cases.tested().memory(), type, 2, kvHeads, headDim, blockSize, blocks));
            for (int layer = 0; layer < 2; layer++) {
                stores.plain.keys(layer).fill(POISON);
                stores.plain.values(layer).fill(POISON);
            }
            stores.copy(cases.tested().memory());
            return stores;
        }

        void copy(DeviceMemory memory) {
            for (int layer = 0; layer < 2; layer++) {
                memory.write(tested.keys(layer), plain.keys(layer));
                memory.write(tested.values(layer), plain.values(layer));
            }
        }

        void compare(Cases cases, String what) {
            for (int layer = 0; layer < 2; layer++) {
                compare(cases, "%s, keys of layer %d".formatted(what, layer), plain.keys(layer), tested.keys(layer));
                compare(
                        cases,
                        "%s, values of layer %d".formatted(what, layer),
                        plain.values(layer),
                        tested.values(layer));
            }
        }

        private static void compare(Cases cases, String what, MemorySegment wanted, MemorySegment got) {
            cases.compareMemory(what, Math.toIntExact(wanted.byteSize() / 4), wanted, got);
        }

        @Override
        public void close() {
            plain.close();
            tested.close();
        }
    }

    /** Every size of block, with values that do not fit. */
    static void storeKv(Cases cases, KvType type) {
        for (int blockSize : KvStore.BLOCK_SIZES) {
            TokenBatch batch = MIXED.batch(blockSize);
            Tensor host = cases.floats(batch.tokens(), 8 * 24).plain();
            for (int i = 0; i < EDGES.length; i++) {
                host.set(3, 4 * 24 + i, EDGES[i]);
                host.set(4, 6 * 24 + i, EDGES[i]);
            }
            Twin qkv = cases.twin(host);
            TokenFlags wanted = cases.plain().flags(cases.arena(), batch.tokens());
            TokenFlags got = cases.tested().flags(cases.arena(), batch.tokens());
            got.clear();
            try (Stores stores = Stores.of(cases, type, 2, 24, blockSize, MIXED.blocks(blockSize))) {
                cases.plain().storeKv(stores.plain(), LAYER, qkv.plain(), batch, wanted);
                cases.tested().storeKv(stores.tested(), LAYER, qkv.tested(), batch, got);
                String what = "blocks of %d".formatted(blockSize);
                stores.compare(cases, what);
                cases.compare(what, wanted, got);
            }
        }
    }

    /** Blocks that are copied out between two writes into them, and in to other places. */
    static void blockCopies(Cases cases, KvType type) {
        int blockSize = 32;
        TokenBatch batch = MIXED.batch(blockSize);
        int[] written = {3, 0, 25, 17};
        int[] others = {7, 5, 6, 20};
        TokenFlags flags = cases.plain().flags(cases.arena(), batch.tokens());
        TokenFlags testedFlags = cases.tested().flags(cases.arena(), batch.tokens());
        BlockCopies copies = cases.plain().blockCopies();
        BlockCopies testedCopies = cases.tested().blockCopies();
        try (Stores stores = Stores.of(cases, type, 2, 24, blockSize, MIXED.blocks(blockSize))) {
            long bytes = written.length * stores.plain().blockBytes();
            MemorySegment out = copies.staging(cases.arena(), bytes);
            MemorySegment testedOut = testedCopies.staging(cases.arena(), bytes);
            for (int round = 0; round < 2; round++) {
                Twin qkv = cases.floats(batch.tokens(), 8 * 24);
                cases.plain().storeKv(stores.plain(), LAYER, qkv.plain(), batch, flags);
                cases.tested().storeKv(stores.tested(), LAYER, qkv.tested(), batch, testedFlags);
                if (round == 0) {
                    copies.copyOut(stores.plain(), written, out);
                    testedCopies.copyOut(stores.tested(), written, testedOut);
                }
            }
            stores.compare(cases, "written again");
            copies.copyIn(stores.plain(), others, out);
            testedCopies.copyIn(stores.tested(), others, testedOut).await();
            stores.compare(cases, "copied");
        }
    }

    /** Sizes of heads, groups and blocks, windows, one token and many. */
    static void attention(Cases cases, KvType type, SelfTest.Extent extent) {
        int[][] heads = {
            {2, 2, 16, 32},
            {2, 2, 24, 16},
            {1, 1, 64, 16},
            {2, 4, 64, 32},
            {1, 7, 80, 64},
            {1, 5, 128, 128},
            {1, 2, 256, 16},
            {1, 18, 24, 16}
        };
        for (int[] h : heads) {
            Layout layout = new Layout(type, h[0], h[1], h[2], h[3]);
            attention(cases, layout, 0, MIXED);
            if (extent == SelfTest.Extent.FULL || layout.headDim() == 128) {
                attention(cases, layout, 0, PREFILL);
            }
        }
        Layout usual = new Layout(type, 2, 4, 64, 16);
        DECODE.forEach(step -> attention(cases, usual, 0, step));
        for (int blockSize : KvStore.BLOCK_SIZES) {
            Layout layout = new Layout(type, 1, 2, 16, blockSize);
            attention(cases, layout, 33, MIXED);
            attention(cases, layout, 129, PREFILL);
        }
        for (int window : new int[] {1, 128, 150, 4096}) {
            attention(cases, new Layout(type, 1, 2, 16, 16), window, MIXED);
        }
        if (extent == SelfTest.Extent.FULL) {
            Layout large = new Layout(type, 8, 4, 128, 32);
            attention(cases, large, 0, LONG_DECODE);
            attention(cases, large, 0, LONG_PREFILL);
            attention(cases, large, 400, LONG_DECODE);
        }
    }

    private record Layout(KvType type, int kvHeads, int perGroup, int headDim, int blockSize) {}

    /** Every sequence has a past, then a step, stored and attended to by both. */
    private static void attention(Cases cases, Layout of, int window, Step step) {
        int columns = (of.perGroup() + 2) * of.kvHeads() * of.headDim();
        TokenBatch past = step.past(of.blockSize());
        TokenBatch batch = step.batch(of.blockSize());
        TokenFlags unmarked = cases.tested().flags(cases.arena(), batch.tokens());
        try (Stores stores =
                Stores.of(cases, of.type(), of.kvHeads(), of.headDim(), of.blockSize(), step.blocks(of.blockSize()))) {
            Tensor before = cases.floats(past.tokens(), columns).plain();
            cases.plain().storeKv(stores.plain(), LAYER, before, past, TokenFlags.onHost());
            stores.copy(cases.tested().memory());
            Twin qkv = cases.floats(batch.tokens(), columns);
            Twin y = cases.floats(batch.tokens() + 1, of.kvHeads() * of.perGroup() * of.headDim());
            cases.plain().storeKv(stores.plain(), LAYER, qkv.plain(), batch, TokenFlags.onHost());
            cases.tested().storeKv(stores.tested(), LAYER, qkv.tested(), batch, unmarked);
            cases.plain().attention(stores.plain(), LAYER, qkv.plain(), SCALE, window, batch, y.plain());
            cases.tested().attention(stores.tested(), LAYER, qkv.tested(), SCALE, window, batch, y.tested());
            cases.compare(
                    "%d x %d heads of %d, blocks of %d, window %d, %d tokens"
                            .formatted(
                                    of.kvHeads(), of.perGroup(), of.headDim(), of.blockSize(), window, batch.tokens()),
                    y);
        }
    }
}
