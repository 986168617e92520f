package dev.troupe.kernel.cuda;

import static dev.troupe.kernel.cuda.DeviceWork.everySchedule;
import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The cache's writer and attention have the bits of the plain loops on the stand-in driver. */
@StandInTest
class CacheOperationsTest {
    private static final int CONTEXT = 290;

    private final Kernels expected = new ReferenceKernels();
    private final Random random = new Random(13);

    @ParameterizedTest
    @EnumSource(KvType.class)
    void storesKeysAndValuesAndMarksWhatDoesNotFit(KvType type) throws Exception {
        for (int blockSize : KvStore.BLOCK_SIZES) {
            everySchedule(work -> {
                CacheOperations operations = work.closing(new CacheOperations(work.stream));
                DeviceBatch batch = work.closing(new DeviceBatch(work.stream));
                batch.load(batch(blockSize, new int[] {250, 0, 120}, new int[] {5, 1, 3}), 16);
                Tensor qkv = Samples.floats(work.arena, 10, 8 * 24, random);
                for (int i = 0; i < EDGES.length; i++) {
                    qkv.set(3, 4 * 24 + 2 * i, EDGES[i]);
                    qkv.set(4, 6 * 24 + 2 * i, EDGES[i]);
                }
                qkv.set(5, 7 * 24, 65519.996f);
                qkv.set(6, 7 * 24, 65520f);
                int[] flags = new int[16];
                flags[2] = 1;
                MemorySegment failed = work.upload(MemorySegment.ofArray(flags));
                try (CudaMemory memory = new CudaMemory(work.stream);
                        KvStore onDevice = new KvStore(memory, type, 2, 2, 24, blockSize, blocks(blockSize));
                        KvStore onHost = new KvStore(type, 2, 2, 24, blockSize, blocks(blockSize))) {
                    poison(onDevice, memory, onHost);
                    TokenFlags marks = TokenFlags.onHost();
                    marks.mark(2);

                    operations.storeKv(onDevice, 1, work.upload(qkv), batch, failed);

                    expected.storeKv(onHost, 1, qkv, batch.host(), marks);
                    requireEqual(work, onDevice, onHost);
                    assertThat(marked(work.ints(failed))).isEqualTo(marks.marked());
                }
            });
        }
    }

    /** Ties of f16, its least and largest values, and what it has not. */
    private static final float[] EDGES = {
        0x1.002p0f,
        0x1.006p0f,
        -0x1.0021p0f,
        0x1p-24f,
        0x1.8p-24f,
        0x1p-25f,
        0x1.8p-25f,
        -0x1p-26f,
        0x1.ffcp-15f,
        0x1.ffep-15f,
        65504f,
        65519.996f,
        -65520f,
        1e9f,
        Float.NaN,
        Float.POSITIVE_INFINITY,
        -0f,
        Float.MIN_VALUE
    };

    @ParameterizedTest
    @EnumSource(KvType.class)
    void attendsWithEveryHeadDimension(KvType type) throws Exception {
        for (int headDim : new int[] {2, 16, 24, 64, 80, 96, 128, 256}) {
            requireAttention(type, 2, 2, headDim, 32, 0, STEP, STEP_COUNTS);
        }
    }

    @Test
    void attendsWithEverySizeOfAGroup() throws Exception {
        for (int perGroup = 1; perGroup <= 18; perGroup += perGroup < 9 ? 1 : 4) {
            requireAttention(KvType.F16, 2, perGroup, 24, 16, 0, STEP, STEP_COUNTS);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 33, 128, 129, 150, 4096})
    void attendsWithEveryWindowAndBlockSize(int window) throws Exception {
        for (int blockSize : KvStore.BLOCK_SIZES) {
            requireAttention(KvType.F16, 1, 2, 16, blockSize, window, STEP, STEP_COUNTS);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 127, 128, 255, 256, 288})
    void attendsForSingleTokens(int position) throws Exception {
        requireAttention(KvType.F16, 2, 4, 64, 16, 0, new int[] {position, 0, 200}, new int[] {1, 0, 1});
    }

    /** Several sequences, past the ends of spans and blocks. */
    private static final int[] STEP = {250, 0, 125};

    private static final int[] STEP_COUNTS = {9, 3, 5};

    /** Poisoned caches of which every sequence has a past, then a step, stored and attended to on both sides. */
    private void requireAttention(
            KvType type, int kvHeads, int perGroup, int headDim, int blockSize, int window, int[] starts, int[] counts)
            throws Exception {
        String what = "%s, %d x %d heads of %d, blocks of %d, window %d"
                .formatted(type.label(), kvHeads, perGroup, headDim, blockSize, window);
        TokenBatch step = batch(blockSize, starts, counts);
        int columns = (perGroup + 2) * kvHeads * headDim;
        try (Arena host = Arena.ofConfined();
                KvStore onHost = new KvStore(type, 2, kvHeads, headDim, blockSize, blocks(blockSize))) {
            onHost.keys(1).fill((byte) 0x7b);
            onHost.values(1).fill((byte) 0x7b);
            TokenBatch past = batch(blockSize, new int[3], starts);
            expected.storeKv(
                    onHost, 1, Samples.floats(host, past.tokens(), columns, random), past, TokenFlags.onHost());
            Tensor qkv = Samples.floats(host, step.tokens(), columns, random);
            Tensor y = Samples.floats(host, step.tokens() + 1, kvHeads * perGroup * headDim, random);
            Tensor before = Tensor.floats(host, y.rows(), y.columns());
            before.memory().copyFrom(y.memory());
            MemorySegment keys = host.allocate(onHost.keys(1).byteSize()).copyFrom(onHost.keys(1));
            MemorySegment values = host.allocate(onHost.values(1).byteSize()).copyFrom(onHost.values(1));
            expected.storeKv(onHost, 1, qkv, step, TokenFlags.onHost());
            expected.attention(onHost, 1, qkv, 0.3f, window, step, y);

            everySchedule(work -> {
                CacheOperations bySpans = work.closing(new CacheOperations(work.stream));
                CacheOperations inSlices = work.closing(new CacheOperations(work.stream, 100_000, 64));
                CacheOperations inTiles = work.closing(new CacheOperations(work.stream, 0, 0));
                DeviceBatch batch = work.closing(new DeviceBatch(work.stream));
                batch.load(step, step.tokens() + 1);
                try (CudaMemory memory = new CudaMemory(work.stream);
                        KvStore store = new KvStore(memory, type, 2, kvHeads, headDim, blockSize, blocks(blockSize))) {
                    memory.write(store.keys(1), keys);
                    memory.write(store.values(1), values);
                    Tensor qkvOnDevice = work.upload(qkv);
                    MemorySegment failed = work.upload(MemorySegment.ofArray(new int[step.tokens()]));

                    bySpans.storeKv(store, 1, qkvOnDevice, batch, failed);
                    for (CacheOperations operations : List.of(bySpans, inSlices, inTiles)) {
                        Tensor onDevice = work.upload(before);

                        operations.attention(store, 1, qkvOnDevice, 0.3f, window, batch, onDevice);

                        String way = operations == inTiles ? "tiles" : operations == bySpans ? "spans" : "slices";
                        work.requireEqual(what + ", in " + way, onDevice, y);
                    }
                }
            });
        }
    }

    private static BitSet marked(int[] flags) {
        BitSet marks = new BitSet();
        for (int t = 0; t < flags.length; t++) {
            marks.set(t, flags[t] != 0);
        }
        return marks;
    }

    private static void requireEqual(DeviceWork work, KvStore onDevice, KvStore onHost) {
        for (int layer = 0; layer < onHost.layers(); layer++) {
            assertThat(work.download(onDevice.keys(layer)).mismatch(onHost.keys(layer)))
                    .as("keys of layer %d", layer)
                    .isEqualTo(-1);
            assertThat(work.download(onDevice.values(layer)).mismatch(onHost.values(layer)))
                    .as("values of layer %d", layer)
                    .isEqualTo(-1);
        }
    }

    /** Fills both stores with a large number; a kernel that takes one for a value has other bits. */
    private static void poison(KvStore onDevice, CudaMemory memory, KvStore onHost) {
        for (int layer = 0; layer < onHost.layers(); layer++) {
            onHost.keys(layer).fill((byte) 0x7b);
            onHost.values(layer).fill((byte) 0x7b);
            memory.write(onDevice.keys(layer), onHost.keys(layer));
            memory.write(onDevice.values(layer), onHost.values(layer));
        }
    }

    private static int blocks(int blockSize) {
        return 3 * (CONTEXT / blockSize + 1);
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
}
