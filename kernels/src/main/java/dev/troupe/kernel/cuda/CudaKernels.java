package dev.troupe.kernel.cuda;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.RowSearch;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kvstore.BlockCopies;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * The operations on a GPU. In exact mode they give the bits of the plain loops. Every operation is added to one stream and the host
 * goes on; what reads the device's memory waits for it. Several of them, each with a stream of its own, may share a device.
 */
public final class CudaKernels implements Kernels {
    /** Rows at most of work that is repeated by graphs; with more, the device has enough to do. */
    private static final int MOST_REPEATED_ROWS = 64;

    /** Operations in all graphs together: each takes some kilobytes of the host's memory, and some of the device's. */
    private static final long MOST_REPEATED_OPERATIONS = 1 << 15;

    private final CudaDevice device;
    private final Numerics numerics;
    private final CudaStream stream;
    private final CudaMemory memory;
    private final RowOperations rows;
    private final TokenOperations tokens;
    private final CacheOperations cache;
    private final RowSelection selection;
    private final CandidateSearch search;
    private final MatrixProducts products;
    private final DeviceBatch batch;
    private final DeviceBlockCopies copies;
    private final RowCounts counts;
    private final @Nullable RepeatedWork repeated;

    /** What ends with the kernels, the first first. */
    private final Deque<Runnable> ends = new ArrayDeque<>();

    /** Loads the exact kernels, whose repeated work becomes graphs; the device stays the caller's. */
    public CudaKernels(CudaDevice device) {
        this(device, Numerics.EXACT);
    }

    /** Loads the kernels, whose repeated work becomes graphs; the device stays the caller's. */
    public CudaKernels(CudaDevice device, Numerics numerics) {
        this(device, true, numerics, () -> {});
    }

    /** @param graphs whether repeated work becomes graphs */
    public CudaKernels(CudaDevice device, boolean graphs) {
        this(device, graphs, Numerics.EXACT, () -> {});
    }

    /**
     * The same.
     *
     * @param closed runs when they have been closed, or could not be made
     */
    CudaKernels(CudaDevice device, boolean graphs, Numerics numerics, Runnable closed) {
        this.device = device;
        this.numerics = numerics;
        ends.push(closed);
        boolean made = false;
        try {
            this.stream = device.stream();
            ends.push(stream::close);
            this.memory = new CudaMemory(stream);
            ends.push(memory::close);
            Arena arena = Arena.ofShared();
            ends.push(arena::close);
            this.rows = new RowOperations(device);
            ends.push(rows::close);
            this.tokens = new TokenOperations(stream);
            ends.push(tokens::close);
            this.cache = new CacheOperations(stream);
            ends.push(cache::close);
            this.selection = new RowSelection(stream);
            ends.push(selection::close);
            this.search = new CandidateSearch(stream);
            ends.push(search::close);
            this.products = new MatrixProducts(stream, numerics);
            ends.push(products::close);
            this.batch = new DeviceBatch(stream);
            ends.push(batch::close);
            this.copies = new DeviceBlockCopies(stream);
            ends.push(copies::close);
            this.counts = new RowCounts(stream, memory, arena);
            this.repeated = graphs ? new RepeatedWork(stream, MOST_REPEATED_OPERATIONS) : null;
            if (repeated != null) {
                ends.push(repeated::close);
            }
            made = true;
        } finally {
            if (!made) {
                end();
            }
        }
    }

    @Override
    public String description() {
        return "%s, %s kernels".formatted(device, numerics.label());
    }

    @Override
    public DeviceMemory memory() {
        return memory;
    }

    @Override
    public TokenFlags flags(Arena life, int count) {
        return new CudaTokenFlags(stream, memory, life, Math.max(1, count));
    }

    /** A clock for the operations of these kernels that give nothing to the host. */
    public DeviceClock clock() {
        return new DeviceClock(stream);
    }

    private StepRows rows(int count) {
        return counts.of(count);
    }

    /** The batch on the device; copied there when it is not the last one. */
    private DeviceBatch onDevice(TokenBatch of) {
        int bucket = rows(of.tokens()).bucket();
        if (batch.host() != of) {
            stream.requireHost("another batch of tokens");
            batch.load(of, bucket);
        }
        copies.order(of);
        batch.launchFor(bucket);
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
        stream.requireHost("embed");
        tokens.embed(table, onDevice(of), y);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor w, float epsilon, int count, Tensor y) {
        rows.rmsNorm(stream, x, w, epsilon, y, rows(count));
    }

    @Override
    public void addRmsNorm(Tensor residual, Tensor x, Tensor w, float epsilon, int count, Tensor y) {
        rows.addRmsNorm(stream, residual, x, w, epsilon, y, rows(count));
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
        stream.requireHost("gatherRows");
        tokens.gatherRows(x, chosen, y);
    }

    @Override
    public void softmax(Tensor x, int count, Tensor y) {
        selection.softmax(x, y, rows(count));
    }

    @Override
    public void argmax(Tensor x, int count, int[] columns) {
        stream.requireHost("argmax");
        selection.argmax(x, count, columns);
    }

    @Override
    public void topK(Tensor x, int row, int[] columns) {
        stream.requireHost("topK");
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

    @Override
    public boolean repeats(int count) {
        return repeated != null && count > 0 && count <= MOST_REPEATED_ROWS;
    }

    @Override
    public void repeat(Object key, int count, @Nullable TokenBatch of, Runnable work) {
        if (repeated == null || !repeats(count)) {
            work.run();
            return;
        }
        stream.requireHost("repeat");
        counts.repeat(count);
        try {
            int spans = of == null ? 0 : onDevice(of).spans();
            repeated.run(new RepeatedWork.Key(key, RowCounts.bucket(count), spans, batch.capacity()), work);
        } finally {
            counts.end();
        }
    }

    /** Graphs that repeated work became so far, 0 without graphs. May be asked by any thread. */
    public long graphCaptures() {
        return repeated == null ? 0 : repeated.captures();
    }

    /** Times that a graph was used again, 0 without graphs. May be asked by any thread. */
    public long graphReplays() {
        return repeated == null ? 0 : repeated.replays();
    }

    /** Kernels, copies and graphs that the host has handed to the device. */
    public long operations() {
        return stream.operations();
    }

    @Override
    public RowSearch rowSearch() {
        return search;
    }

    @Override
    public BlockCopies blockCopies() {
        return copies;
    }

    /** Waits for what was added, and frees what the kernels themselves have taken. */
    @Override
    public void close() {
        stream.end();
        end();
    }

    /** One that fails keeps none of the others. */
    private void end() {
        RuntimeException failure = null;
        while (!ends.isEmpty()) {
            try {
                ends.pop().run();
            } catch (RuntimeException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
