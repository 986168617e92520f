package dev.troupe.kernel;

import dev.troupe.kvstore.BlockCopies;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * The operations a model is made of, on one device. Activations are f32, row-major, one row a token; only the first
 * {@code tokens} rows of a tensor take part, so buffers may be larger. All tensors lie in {@link #memory}, unless an operation
 * says otherwise; an operation may return before its work is done, and what reads that memory waits for it. Every implementation in exact mode gives the bits
 * of {@code dev.troupe.kernel.reference.ReferenceKernels} (docs/numerics.md has the formulas). Not thread-safe: one
 * shard owns it.
 */
public interface Kernels extends AutoCloseable {

    /** One sentence for people: the device, the vector width, the threads. */
    String description();

    /** Where its tensors, weights and caches lie. */
    default DeviceMemory memory() {
        return DeviceMemory.host();
    }

    /** New marks for {@code tokens} tokens, for the operations below; they live as long as {@code arena}. */
    default TokenFlags flags(Arena arena, int tokens) {
        return TokenFlags.onHost();
    }

    /**
     * {@code y[t, r] = chain over k of w[r, k] · x[t, k] (+ bias[r])}, NUMERICS rule 2.
     *
     * @param w {@code [rows, columns]}
     * @param bias {@code [1, rows]} or null
     * @param x {@code [tokens, columns]}
     * @param y {@code [tokens, rows]}
     */
    void matmul(StackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y);

    /** The same with a matrix of one part. */
    default void matmul(PackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y) {
        matmul(StackedMatrix.of(w), bias, x, tokens, y);
    }

    /**
     * A row-parallel product in the canonical chunks and fixed tree of NUMERICS rule 3: one result for every maximal
     * node of {@code w}'s groups.
     *
     * @param w the chunks of this rank's groups, together {@code [rows, columns]}
     * @param x {@code [tokens, columns]}
     * @param sums one tensor {@code [tokens, rows]} for every node of {@link ChunkedMatrix#nodes()}
     */
    void matmulChunks(ChunkedMatrix w, Tensor x, int tokens, Tensor[] sums);

    /**
     * Copies embedding rows: {@code y[t] = table[ids[t]]} widened to f32.
     *
     * @param table row-major {@code [vocabulary, hidden]} of any type, in the host's memory: most of a mapped file is never read
     * @param y {@code [tokens, hidden]}
     */
    void embed(Tensor table, TokenBatch batch, Tensor y);

    /** {@code y = x · (1 / √(Σx²/n + ε)) · w} for each row; x and y {@code [tokens, n]}, w {@code [1, n]}. */
    void rmsNorm(Tensor x, Tensor w, float epsilon, int tokens, Tensor y);

    /** {@code residual += x}, then {@code y = rmsNorm(residual)}. All {@code [tokens, n]}. */
    void addRmsNorm(Tensor residual, Tensor x, Tensor w, float epsilon, int tokens, Tensor y);

    /** RMSNorm in place of each of {@code heads} heads of {@code w.columns()} elements, from column {@code firstColumn}. */
    void rmsNormHeads(Tensor x, int firstColumn, int heads, Tensor w, float epsilon, int tokens);

    /**
     * Rotates in place {@code heads} heads of {@code headDim} elements from column {@code firstColumn}, by the position of
     * each token: {@code (fma(x0, c, −(x1 · s)), fma(x1, c, x0 · s))} for the halves x0, x1.
     */
    void rope(Tensor x, int firstColumn, int heads, int headDim, RopeTable table, TokenBatch batch);

    /**
     * Writes the keys and values of the batch to their cache blocks, rounded to the cache's type.
     *
     * @param layer layer of the store
     * @param qkv {@code [tokens, (heads + 2 · kvHeads) · headDim]}: queries, keys, values
     * @param overflowed marks every token with a value that is not finite in the cache's type
     */
    void storeKv(KvStore store, int layer, Tensor qkv, TokenBatch batch, TokenFlags overflowed);

    /**
     * Causal attention over the cache, NUMERICS rule 6. The batch's own keys and values were stored before.
     *
     * @param qkv as for {@link #storeKv}
     * @param window visible tokens, itself included; 0 for all
     * @param y {@code [tokens, heads · headDim]}
     */
    void attention(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch batch, Tensor y);

    /** {@code y = g / (1 + exp(−g)) · u}; gateUp {@code [tokens, 2n]} holds g then u, y {@code [tokens, n]}. */
    void swiglu(Tensor gateUp, int tokens, Tensor y);

    /** {@code a = a + b}, both {@code [tokens, n]}. */
    void add(Tensor a, Tensor b, int tokens);

    /** {@code a[t] = a[t] + bias} for each row; a {@code [tokens, n]}, bias {@code [1, n]}. */
    void addBias(Tensor a, Tensor bias, int tokens);

    /**
     * Copies rows: {@code y[i] = x[rows[i]]}.
     *
     * @param x {@code [tokens, n]}
     * @param y at least {@code [rows.length, n]}
     */
    void gatherRows(Tensor x, int[] rows, Tensor y);

    /**
     * {@code y = exp(x − max) / Σ exp(x − max)} for each row, the sum by NUMERICS rule 5; x and y {@code [tokens, n]},
     * which may be the same tensor.
     */
    void softmax(Tensor x, int tokens, Tensor y);

    /**
     * The column of the largest value of each row, the lowest on a tie.
     *
     * @param x {@code [tokens, n]}, finite
     * @param columns gets {@code tokens} columns
     */
    void argmax(Tensor x, int tokens, int[] columns);

    /**
     * The columns of the largest values of one row, descending, the lower column first on a tie.
     *
     * @param x {@code [rows, n]}, finite
     * @param columns is filled; its length says how many
     */
    void topK(Tensor x, int row, int[] columns);

    /** Marks in {@code nonFinite} every one of the first {@code tokens} rows with a value that is not finite. */
    void markNonFinite(Tensor x, int tokens, TokenFlags nonFinite);

    /** {@code x[t] = NaN} for every marked one of the first {@code tokens} rows: whoever adds them up learns that they failed. */
    default void poisonRows(Tensor x, int tokens, TokenFlags failed) {
        KernelShapes.requireFloats("poisonRows", x, tokens);
        BitSet marked = failed.marked();
        for (int t = marked.nextSetBit(0); t >= 0 && t < tokens; t = marked.nextSetBit(t + 1)) {
            for (int i = 0; i < x.columns(); i++) {
                x.set(t, i, Float.NaN);
            }
        }
    }

    /**
     * Whether {@link #repeat} of work on so many rows costs the host less than its operations one by one, so that callers should make the
     * work as long as they can.
     */
    default boolean repeats(int rows) {
        return false;
    }

    /**
     * Runs operations that come again with every step. A device may note them, and do them by itself when they come again: {@code work}
     * is not run then, so it may change nothing but tensors and marks.
     *
     * @param key equal ones stand for the same operations with the same arguments but for {@code rows} and {@code batch}
     * @param rows of all operations on rows, whose tensors have as many as the next power of two
     * @param batch of all operations on tokens; null if there are none
     * @param work operations of these kernels and {@link TokenFlags#clear}, none of which gives something to the host or takes something
     *     from its memory
     * @throws IllegalStateException if the work does something else, with the name of the operation
     */
    default void repeat(Object key, int rows, @Nullable TokenBatch batch, Runnable work) {
        work.run();
    }

    /** Searches rows of logits in {@link #memory}; null where that is the host's, which searches by itself. */
    default @Nullable RowSearch rowSearch() {
        return null;
    }

    /** Copies blocks of stores in {@link #memory}, at the turn of these operations. */
    default BlockCopies blockCopies() {
        return BlockCopies.onHost();
    }

    /** Ends its threads. */
    @Override
    void close();
}
