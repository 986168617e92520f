package dev.troupe.kernel.cuda;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The operations on a GPU, in exact mode: they give the bits of the plain loops. Every operation is added to one stream and the host
 * goes on; what reads the device's memory waits for it. Several of them, each with a stream of its own, may share a device.
 */
public final class CudaKernels implements Kernels {
    /** Rows of one operation at most. */
    private static final int MOST_ROWS = 65_535;

    private final CudaDevice device;
    private final CudaStream stream;
    private final CudaMemory memory;
    private final RowOperations rows;
    private final TokenOperations tokens;
    private final CacheOperations cache;
    private final RowSelection selection;
    private final MatrixProducts products;
    private final DeviceBatch batch;
    private final Arena arena = Arena.ofShared();

    /** 0, 1, 2 and so on in the memory of the device, which reads its counts of rows there. */
    private final MemorySegment numbers;

    /** Loads the kernels; the device stays the caller's. */
    public CudaKernels(CudaDevice device) {
        this.device = device;
        this.stream = device.stream();
        this.memory = new CudaMemory(stream);
        this.rows = new RowOperations(device);
        this.tokens = new TokenOperations(stream);
        this.cache = new CacheOperations(stream);
        this.selection = new RowSelection(stream);
        this.products = new MatrixProducts(stream);
        this.batch = new DeviceBatch(stream);
        this.numbers = memory.allocate(arena, 4L * (MOST_ROWS + 1), DeviceMemory.Use.WORKSPACE);
        memory.write(
                numbers,
                MemorySegment.ofArray(IntStream.rangeClosed(0, MOST_ROWS).toArray()));
    }

    @Override
    public String description() {
        return "%s, exact kernels".formatted(device);
    }

    @Override
    public DeviceMemory memory() {
        return memory;
    }

    @Override
    public TokenFlags flags(Arena life, int count) {
        return new CudaTokenFlags(stream, memory, life, Math.max(1, count));
    }

    private StepRows rows(int count) {
        return new StepRows(numbers.asSlice(4L * count, 4), Math.max(1, count));
    }

    /** The batch on the device; copied there when it is not the last one. */
    private DeviceBatch onDevice(TokenBatch of) {
        if (batch.host() != of) {
            batch.load(of, Math.max(1, of.tokens()));
        }
        return batch;
    }

    private static MemorySegment marks(TokenFlags flags) {
        if (flags instanceof CudaTokenFlags own) {
            return own.marks();
        }
        throw new IllegalArgumentException("the marks of tokens are not in the memory of a GPU");
    }

    @Override
    public void matmul(StackedMatrix w, @Nullable Tensor bias, Tensor x, int count, Tensor y) {
        products.multiply(w, bias, x, y, rows(count));
    }

    @Override
    public void matmulChunks(ChunkedMatrix w, Tensor x, int count, Tensor[] sums) {
        products.multiplyChunks(w, x, sums, rows(count));
    }

    @Override
    public void embed(Tensor table, TokenBatch of, Tensor y) {
        tokens.embed(table, onDevice(of), y);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor w, float epsilon, int count, Tensor y) {
        rows.rmsNorm(stream, x, w, epsilon, y, rows(count));
    }

    @Override
    public void addRmsNorm(Tensor residual, Tensor x, Tensor w, float epsilon, int count, Tensor y) {
        rows.add(stream, residual, x, rows(count));
        rows.rmsNorm(stream, residual, w, epsilon, y, rows(count));
    }

    @Override
    public void rmsNormHeads(Tensor x, int firstColumn, int heads, Tensor w, float epsilon, int count) {
        rows.rmsNormHeads(stream, x, firstColumn, heads, w, epsilon, rows(count));
    }

    @Override
    public void rope(Tensor x, int firstColumn, int heads, int headDim, RopeTable table, TokenBatch of) {
        tokens.rope(x, firstColumn, heads, headDim, table, onDevice(of));
    }

    @Override
    public void storeKv(KvStore store, int layer, Tensor qkv, TokenBatch of, TokenFlags overflowed) {
        cache.storeKv(store, layer, qkv, onDevice(of), marks(overflowed));
    }

    @Override
    public void attention(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch of, Tensor y) {
        cache.attention(store, layer, qkv, scale, window, onDevice(of), y);
    }

    @Override
    public void swiglu(Tensor gateUp, int count, Tensor y) {
        rows.swiglu(stream, gateUp, y, rows(count));
    }

    @Override
    public void add(Tensor a, Tensor b, int count) {
        rows.add(stream, a, b, rows(count));
    }

    @Override
    public void addBias(Tensor a, Tensor bias, int count) {
        tokens.addBias(a, bias, rows(count));
    }

    @Override
    public void gatherRows(Tensor x, int[] chosen, Tensor y) {
        tokens.gatherRows(x, chosen, y);
    }

    @Override
    public void softmax(Tensor x, int count, Tensor y) {
        selection.softmax(x, y, rows(count));
    }

    @Override
    public void argmax(Tensor x, int count, int[] columns) {
        selection.argmax(x, count, columns);
    }

    @Override
    public void topK(Tensor x, int row, int[] columns) {
        selection.topK(x, row, columns);
    }

    @Override
    public void markNonFinite(Tensor x, int count, TokenFlags nonFinite) {
        tokens.markNonFinite(x, marks(nonFinite), rows(count));
    }

    @Override
    public void poisonRows(Tensor x, int count, TokenFlags failed) {
        tokens.poisonRows(x, marks(failed), rows(count));
    }

    /** Waits for what was added, and frees what the kernels themselves have taken. */
    @Override
    public void close() {
        stream.synchronize();
        rows.close();
        tokens.close();
        cache.close();
        selection.close();
        products.close();
        batch.close();
        arena.close();
        memory.close();
        stream.close();
    }
}
