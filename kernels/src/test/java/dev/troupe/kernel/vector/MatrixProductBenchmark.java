package dev.troupe.kernel.vector;

import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.Samples;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
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
 * Times of one product of a {@code [2048, 2048]} matrix, by type and tokens. Eight matrices are used in turn, so that with
 * one token the weights come from memory. Bytes of weights per time, and twice the weights times tokens per time, say how
 * near it is to the machine's limits.
 *
 * <p>How to run it is in docs/performance.md.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class MatrixProductBenchmark {
    private static final int SIZE = 2048;
    private static final int MATRICES = 8;

    @Param({"F32", "BF16", "F16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"})
    DType type = DType.F32;

    @Param({"1", "4", "8", "512"})
    int tokens;

    @Param({"1", "2"})
    int threads;

    /** Whether products of block-quantised weights are the native ones. */
    @Param({"false", "true"})
    boolean natives;

    private final List<PackedMatrix> matrices = new ArrayList<>();
    private final Arena arena = Arena.ofShared();
    private Tensor x = Tensor.floats(arena, 1, SIZE);
    private Tensor y = Tensor.floats(arena, 1, SIZE);
    private VectorKernels kernels = new VectorKernels(new WorkerPool(1));
    private int next;

    @Setup(Level.Trial)
    public void fill() {
        Random random = new Random(1);
        Tensor weights = Samples.weights(arena, type, SIZE, SIZE, random);
        for (int i = 0; i < MATRICES; i++) {
            matrices.add(MatrixPacker.pack(arena, weights));
        }
        x = Samples.floats(arena, tokens, SIZE, random);
        y = Tensor.floats(arena, tokens, SIZE);
        kernels.close();
        kernels = new VectorKernels(new WorkerPool(threads), natives);
    }

    @Benchmark
    public float product() {
        kernels.matmul(matrices.get(next++ % MATRICES), null, x, tokens, y);
        return y.get(0, 0);
    }

    @TearDown(Level.Trial)
    public void close() {
        kernels.close();
        arena.close();
    }
}
