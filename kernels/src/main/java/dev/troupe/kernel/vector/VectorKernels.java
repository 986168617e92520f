package dev.troupe.kernel.vector;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/** The operations on CPU cores through the Vector API, perhaps with native ones among them, with threads of their own. */
public final class VectorKernels implements Kernels {
    private final WorkerPool pool;
    private final boolean natives;
    private final MatrixProduct product;
    private final Embedding embedding;
    private final RmsNorm norm;
    private final Rotation rotation;
    private final KvWriter writer;
    private final Attention attention;
    private final Swiglu swiglu;
    private final Addition addition;
    private final Softmax softmax;
    private final RowSearch search;

    /** Kernels on {@code pool}, which {@link #close} ends. */
    public VectorKernels(WorkerPool pool) {
        this(pool, false);
    }

    /**
     * Kernels on {@code pool}, which {@link #close} ends.
     *
     * @param natives whether products of block-quantised weights and attention of single tokens are the native ones, which must
     *     run here
     */
    public VectorKernels(WorkerPool pool, boolean natives) {
        this.pool = pool;
        this.natives = natives;
        this.product = new MatrixProduct(pool, natives);
        this.embedding = new Embedding(pool);
        this.norm = new RmsNorm(pool);
        this.rotation = new Rotation(pool);
        this.writer = new KvWriter(pool);
        this.attention = new Attention(pool, natives);
        this.swiglu = new Swiglu(pool);
        this.addition = new Addition(pool);
        this.softmax = new Softmax(pool);
        this.search = new RowSearch(pool);
    }

    /** The width in use, in bits: the machine's preferred one up to 512, or {@code troupe.vector-bits}. */
    public static int vectorBits() {
        return Lanes.BITS;
    }

    /** The width that this machine prefers, in bits. */
    public static int preferredBits() {
        return FloatVector.SPECIES_PREFERRED.vectorBitSize();
    }

    @Override
    public String description() {
        return "CPU, Vector API with %d bits%s, %d %s"
                .formatted(
                        Lanes.BITS,
                        natives ? " and native products" : "",
                        pool.threads(),
                        pool.threads() == 1 ? "thread" : "threads");
    }

    @Override
    public void matmul(StackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y) {
        product.multiply(w, bias, x, tokens, y);
    }

    @Override
    public void matmulChunks(ChunkedMatrix w, Tensor x, int tokens, Tensor[] sums) {
        product.multiply(w, x, tokens, sums);
    }

    @Override
    public void embed(Tensor table, TokenBatch batch, Tensor y) {
        embedding.rows(table, batch, y);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        norm.rows(x, w, epsilon, tokens, y);
    }

    @Override
    public void addRmsNorm(Tensor residual, Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        norm.addedRows(residual, x, w, epsilon, tokens, y);
    }

    @Override
    public void rmsNormHeads(Tensor x, int firstColumn, int heads, Tensor w, float epsilon, int tokens) {
        norm.heads(x, firstColumn, heads, w, epsilon, tokens);
    }

    @Override
    public void rope(Tensor x, int firstColumn, int heads, int headDim, RopeTable table, TokenBatch batch) {
        rotation.rows(x, firstColumn, heads, headDim, table, batch);
    }

    @Override
    public void storeKv(KvStore store, int layer, Tensor qkv, TokenBatch batch, TokenFlags overflowed) {
        writer.write(store, layer, qkv, batch, overflowed);
    }

    @Override
    public void attention(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch batch, Tensor y) {
        attention.attend(store, layer, qkv, scale, window, batch, y);
    }

    @Override
    public void swiglu(Tensor gateUp, int tokens, Tensor y) {
        swiglu.rows(gateUp, tokens, y);
    }

    @Override
    public void add(Tensor a, Tensor b, int tokens) {
        addition.rows(a, b, tokens);
    }

    @Override
    public void addBias(Tensor a, Tensor bias, int tokens) {
        addition.bias(a, bias, tokens);
    }

    @Override
    public void gatherRows(Tensor x, int[] rows, Tensor y) {
        KernelShapes.requireGather(x, rows, y);
        long bytes = 4L * x.columns();
        for (int i = 0; i < rows.length; i++) {
            MemorySegment.copy(x.memory(), rows[i] * bytes, y.memory(), i * bytes, bytes);
        }
    }

    @Override
    public void softmax(Tensor x, int tokens, Tensor y) {
        softmax.rows(x, tokens, y);
    }

    @Override
    public void argmax(Tensor x, int tokens, int[] columns) {
        search.argmax(x, tokens, columns);
    }

    @Override
    public void topK(Tensor x, int row, int[] columns) {
        search.topK(x, row, columns);
    }

    @Override
    public void markNonFinite(Tensor x, int tokens, TokenFlags nonFinite) {
        search.markNonFinite(x, tokens, nonFinite);
    }

    @Override
    public void close() {
        pool.close();
        product.close();
        norm.close();
        attention.close();
        softmax.close();
    }
}
