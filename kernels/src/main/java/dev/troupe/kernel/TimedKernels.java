package dev.troupe.kernel;

import static dev.troupe.kernel.KernelTimes.Operation.ATTENTION;
import static dev.troupe.kernel.KernelTimes.Operation.LOGITS;
import static dev.troupe.kernel.KernelTimes.Operation.PRODUCTS;
import static dev.troupe.kernel.KernelTimes.Operation.ROWS;

import dev.troupe.kvstore.BlockCopies;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/** Kernels whose operations say how long they took. */
final class TimedKernels implements Kernels {
    private final Kernels kernels;
    private final KernelTimes times;

    TimedKernels(Kernels kernels, KernelTimes times) {
        this.kernels = kernels;
        this.times = times;
    }

    private void since(long start, KernelTimes.Operation operation) {
        times.add(operation, System.nanoTime() - start);
    }

    @Override
    public String description() {
        return kernels.description();
    }

    @Override
    public DeviceMemory memory() {
        return kernels.memory();
    }

    @Override
    public TokenFlags flags(Arena arena, int tokens) {
        return kernels.flags(arena, tokens);
    }

    @Override
    public void matmul(StackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y) {
        long start = System.nanoTime();
        kernels.matmul(w, bias, x, tokens, y);
        since(start, PRODUCTS);
    }

    @Override
    public void matmulChunks(ChunkedMatrix w, Tensor x, int tokens, Tensor[] sums) {
        long start = System.nanoTime();
        kernels.matmulChunks(w, x, tokens, sums);
        since(start, PRODUCTS);
    }

    @Override
    public void embed(Tensor table, TokenBatch batch, Tensor y) {
        long start = System.nanoTime();
        kernels.embed(table, batch, y);
        since(start, ROWS);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        long start = System.nanoTime();
        kernels.rmsNorm(x, w, epsilon, tokens, y);
        since(start, ROWS);
    }

    @Override
    public void addRmsNorm(Tensor residual, Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        long start = System.nanoTime();
        kernels.addRmsNorm(residual, x, w, epsilon, tokens, y);
        since(start, ROWS);
    }

    @Override
    public void rmsNormHeads(Tensor x, int firstColumn, int heads, Tensor w, float epsilon, int tokens) {
        long start = System.nanoTime();
        kernels.rmsNormHeads(x, firstColumn, heads, w, epsilon, tokens);
        since(start, ROWS);
    }

    @Override
    public void rope(Tensor x, int firstColumn, int heads, int headDim, RopeTable table, TokenBatch batch) {
        long start = System.nanoTime();
        kernels.rope(x, firstColumn, heads, headDim, table, batch);
        since(start, ROWS);
    }

    @Override
    public void storeKv(KvStore store, int layer, Tensor qkv, TokenBatch batch, TokenFlags overflowed) {
        long start = System.nanoTime();
        kernels.storeKv(store, layer, qkv, batch, overflowed);
        since(start, ROWS);
    }

    @Override
    public void attention(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch batch, Tensor y) {
        long start = System.nanoTime();
        kernels.attention(store, layer, qkv, scale, window, batch, y);
        since(start, ATTENTION);
    }

    @Override
    public void swiglu(Tensor gateUp, int tokens, Tensor y) {
        long start = System.nanoTime();
        kernels.swiglu(gateUp, tokens, y);
        since(start, ROWS);
    }

    @Override
    public void add(Tensor a, Tensor b, int tokens) {
        long start = System.nanoTime();
        kernels.add(a, b, tokens);
        since(start, ROWS);
    }

    @Override
    public void addBias(Tensor a, Tensor bias, int tokens) {
        long start = System.nanoTime();
        kernels.addBias(a, bias, tokens);
        since(start, ROWS);
    }

    @Override
    public void gatherRows(Tensor x, int[] rows, Tensor y) {
        long start = System.nanoTime();
        kernels.gatherRows(x, rows, y);
        since(start, ROWS);
    }

    @Override
    public void softmax(Tensor x, int tokens, Tensor y) {
        long start = System.nanoTime();
        kernels.softmax(x, tokens, y);
        since(start, LOGITS);
    }

    @Override
    public void argmax(Tensor x, int tokens, int[] columns) {
        long start = System.nanoTime();
        kernels.argmax(x, tokens, columns);
        since(start, LOGITS);
    }

    @Override
    public void topK(Tensor x, int row, int[] columns) {
        long start = System.nanoTime();
        kernels.topK(x, row, columns);
        since(start, LOGITS);
    }

    @Override
    public void markNonFinite(Tensor x, int tokens, TokenFlags nonFinite) {
        long start = System.nanoTime();
        kernels.markNonFinite(x, tokens, nonFinite);
        since(start, LOGITS);
    }

    @Override
    public void poisonRows(Tensor x, int tokens, TokenFlags failed) {
        kernels.poisonRows(x, tokens, failed);
    }

    @Override
    public boolean repeats(int rows) {
        return kernels.repeats(rows);
    }

    @Override
    public void repeat(Object key, int rows, @Nullable TokenBatch batch, Runnable work) {
        kernels.repeat(key, rows, batch, work);
    }

    @Override
    public @Nullable RowSearch rowSearch() {
        return kernels.rowSearch();
    }

    @Override
    public BlockCopies blockCopies() {
        return kernels.blockCopies();
    }

    @Override
    public void close() {
        kernels.close();
    }
}
