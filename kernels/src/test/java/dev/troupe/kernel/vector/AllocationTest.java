package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.management.ThreadMXBean;
import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Compiled kernels allocate nothing: no boxed vectors, no garbage on the hot path. */
@Tag("fresh-jvm")
class AllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** The compiler gets so long until an operation must have settled. */
    private static final Duration PATIENCE = Duration.ofSeconds(90);

    private static final int CALLS = 100;

    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(61);
    private final VectorKernels kernels = new VectorKernels(new WorkerPool(1));

    @Test
    void productsAllocateNothing() {
        assertProducts(kernels);
    }

    @Test
    void nativeProductsAllocateNothing() {
        assumeThat(NativeProducts.refusal()).as("native products run here").isNull();

        assertProducts(new VectorKernels(new WorkerPool(1), true));
    }

    private void assertProducts(VectorKernels kernels) {
        for (DType type : DType.values()) {
            StackedMatrix whole =
                    StackedMatrix.of(MatrixPacker.pack(arena, Samples.weights(arena, type, 256, 256, random)));
            ChunkedMatrix chunks = MatrixPacker.packChunks(
                    arena, Samples.weights(arena, type, 256, 256, random), ReductionChunks.attention(8, 4, 32), 0, 4);
            Tensor x = Samples.floats(arena, 9, 256, random);
            Tensor y = Tensor.floats(arena, 9, 256);
            Tensor[] sums = {y};
            for (int tokens : new int[] {1, 9}) {
                assertSettles(type + " product of " + tokens, () -> kernels.matmul(whole, null, x, tokens, y));
                assertSettles(type + " chunks of " + tokens, () -> kernels.matmulChunks(chunks, x, tokens, sums));
            }
        }
    }

    @Test
    void attentionAllocatesNothing() {
        assertAttention(kernels);
    }

    @Test
    void nativeAttentionAllocatesNothing() {
        assumeThat(NativeProducts.refusal()).as("native kernels run here").isNull();

        try (VectorKernels natives = new VectorKernels(new WorkerPool(1), true)) {
            assertAttention(natives);
        }
    }

    private void assertAttention(VectorKernels kernels) {
        TokenBatch batch = new TokenBatch(
                new int[3], new int[] {150, 151, 3}, new int[] {0, 0, 1}, new int[][] {{0, 1, 2, 3, 4}, {5}});
        TokenFlags overflowed = TokenFlags.onHost();
        for (KvType type : KvType.values()) {
            for (int perGroup : new int[] {1, 2}) {
                Tensor qkv = Samples.floats(arena, 3, (perGroup + 2) * 2 * 64, random);
                Tensor y = Tensor.floats(arena, 3, perGroup * 2 * 64);
                try (KvStore store = new KvStore(type, 1, 2, 64, 32, 6)) {
                    assertSettles("store " + type, () -> kernels.storeKv(store, 0, qkv, batch, overflowed));
                    assertSettles("attention " + type, () -> kernels.attention(store, 0, qkv, 1f, 0, batch, y));
                }
            }
        }
    }

    @Test
    void operationsOnRowsAllocateNothing() {
        TokenBatch batch = new TokenBatch(new int[2], new int[] {0, 1}, new int[2], new int[1][0]);
        Tensor x = Samples.floats(arena, 2, 256, random);
        Tensor w = Samples.floats(arena, 1, 256, random);
        Tensor y = Tensor.floats(arena, 2, 256);
        Tensor half = Tensor.floats(arena, 2, 128);
        RopeTable table = new RopeTable(Samples.floats(arena, 2, 32, random), Samples.floats(arena, 2, 32, random));
        TokenFlags nonFinite = TokenFlags.onHost();
        int[] columns = new int[8];
        assertSettles("rmsNorm", () -> kernels.rmsNorm(x, w, 1e-5f, 2, y));
        assertSettles("addRmsNorm", () -> kernels.addRmsNorm(y, x, w, 1e-5f, 2, x));
        assertSettles("rope", () -> kernels.rope(x, 0, 4, 64, table, batch));
        assertSettles("swiglu", () -> kernels.swiglu(x, 2, half));
        assertSettles("softmax", () -> kernels.softmax(x, 2, y));
        assertSettles("argmax", () -> kernels.argmax(x, 2, columns));
        assertSettles("topK", () -> kernels.topK(x, 0, columns));
        assertSettles("embed", () -> kernels.embed(w, batch, y));
        assertSettles("markNonFinite", () -> kernels.markNonFinite(x, 2, nonFinite));
    }

    private static void assertSettles(String what, Runnable operation) {
        long end = System.nanoTime() + PATIENCE.toNanos();
        long bytes;
        do {
            long before = THREADS.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < CALLS; i++) {
                operation.run();
            }
            bytes = (THREADS.getCurrentThreadAllocatedBytes() - before) / CALLS;
        } while (bytes > 0 && System.nanoTime() < end);
        assertThat(bytes).as("bytes allocated by one call of %s", what).isZero();
    }
}
