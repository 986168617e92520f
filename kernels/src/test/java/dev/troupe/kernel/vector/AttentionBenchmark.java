package dev.troupe.kernel.vector;

import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Times of one layer's attention of 32 heads of 64 elements over 8 KV heads: the last {@code tokens} of a context of {@code
 * length}. How to run it is in docs/performance.md.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class AttentionBenchmark {
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int HEAD_DIM = 64;
    private static final int BLOCK = 32;

    @Param({"512", "1024", "4096"})
    int length;

    @Param({"1", "128"})
    int tokens;

    @Param({"1", "2"})
    int threads;

    @Param({"false", "true"})
    boolean natives;

    private final Arena arena = Arena.ofShared();
    private KvStore store = new KvStore(KvType.F16, 1, 1, HEAD_DIM, BLOCK, 1);
    private VectorKernels kernels = new VectorKernels(new WorkerPool(1));
    private TokenBatch last = batch(0, 1);
    private Tensor qkv = Tensor.floats(arena, 1, 1);
    private Tensor y = Tensor.floats(arena, 1, 1);

    @Setup(Level.Trial)
    public void fill() {
        store.close();
        kernels.close();
        store = new KvStore(KvType.F16, 1, KV_HEADS, HEAD_DIM, BLOCK, length / BLOCK);
        kernels = new VectorKernels(new WorkerPool(threads), natives);
        Tensor all = Samples.floats(arena, length, (HEADS + 2 * KV_HEADS) * HEAD_DIM, new Random(1));
        kernels.storeKv(store, 0, all, batch(0, length), TokenFlags.onHost());
        last = batch(length - tokens, tokens);
        qkv = all;
        y = Tensor.floats(arena, tokens, HEADS * HEAD_DIM);
    }

    private TokenBatch batch(int first, int count) {
        int[] positions = IntStream.range(first, first + count).toArray();
        int[][] blocks = {IntStream.range(0, Math.max(1, length / BLOCK)).toArray()};
        return new TokenBatch(Arrays.copyOf(positions, count), positions, new int[count], blocks);
    }

    @Benchmark
    public float attention() {
        kernels.attention(store, 0, qkv, 0.125f, 0, last, y);
        return y.get(0, 0);
    }

    @TearDown(Level.Trial)
    public void close() {
        kernels.close();
        store.close();
        arena.close();
    }
}
