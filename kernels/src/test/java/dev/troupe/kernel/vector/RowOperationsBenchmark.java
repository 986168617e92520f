package dev.troupe.kernel.vector;

import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
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
 * Times of what a layer does beside products and attention, in the sizes of Llama 3.2 1B, and of what is done with its
 * logits. How to run it is in docs/performance.md.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class RowOperationsBenchmark {
    private static final int HIDDEN = 2048;
    private static final int INNER = 8192;
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int HEAD_DIM = 64;
    private static final int VOCABULARY = 128_256;
    private static final float EPSILON = 1e-5f;

    @Param({"1", "128"})
    int tokens;

    private final Arena arena = Arena.ofShared();
    private final Random random = new Random(1);
    private final VectorKernels kernels = new VectorKernels(new WorkerPool(1));
    private final TokenFlags marks = TokenFlags.onHost();
    private final int[] columns = new int[40];
    private final KvStore store = new KvStore(KvType.F16, 1, KV_HEADS, HEAD_DIM, 32, 4);
    private Tensor hidden = Tensor.floats(arena, 1, 1);
    private Tensor other = hidden;
    private Tensor norm = hidden;
    private Tensor qkv = hidden;
    private Tensor gateUp = hidden;
    private Tensor activated = hidden;
    private Tensor logits = hidden;
    private Tensor probabilities = hidden;
    private RopeTable table = new RopeTable(hidden, hidden);
    private TokenBatch batch = new TokenBatch(new int[1], new int[1], new int[1], new int[][] {{0}});

    @Setup(Level.Trial)
    public void fill() {
        hidden = Samples.floats(arena, tokens, HIDDEN, random);
        other = Samples.floats(arena, tokens, HIDDEN, random);
        norm = Samples.floats(arena, 1, HIDDEN, random);
        qkv = Samples.floats(arena, tokens, (HEADS + 2 * KV_HEADS) * HEAD_DIM, random);
        gateUp = Samples.floats(arena, tokens, 2 * INNER, random);
        activated = Tensor.floats(arena, tokens, INNER);
        logits = Samples.floats(arena, 1, VOCABULARY, random);
        probabilities = Tensor.floats(arena, 1, VOCABULARY);
        table = new RopeTable(
                Samples.floats(arena, tokens, HEAD_DIM / 2, random),
                Samples.floats(arena, tokens, HEAD_DIM / 2, random));
        batch = new TokenBatch(
                new int[tokens], IntStream.range(0, tokens).toArray(), new int[tokens], new int[][] {{0, 1, 2, 3}});
    }

    @Benchmark
    public void rmsNorm() {
        kernels.rmsNorm(hidden, norm, EPSILON, tokens, other);
    }

    @Benchmark
    public void rope() {
        kernels.rope(qkv, 0, HEADS + KV_HEADS, HEAD_DIM, table, batch);
    }

    @Benchmark
    public void storeKv() {
        kernels.storeKv(store, 0, qkv, batch, marks);
    }

    @Benchmark
    public void swiglu() {
        kernels.swiglu(gateUp, tokens, activated);
    }

    @Benchmark
    public void add() {
        kernels.add(other, hidden, tokens);
    }

    @Benchmark
    public void softmaxOfLogits() {
        kernels.softmax(logits, 1, probabilities);
    }

    @Benchmark
    public void argmaxOfLogits() {
        kernels.argmax(logits, 1, columns);
    }

    @Benchmark
    public void topKOfLogits() {
        kernels.topK(logits, 0, columns);
    }

    @TearDown(Level.Trial)
    public void close() {
        kernels.close();
        store.close();
        arena.close();
    }
}
