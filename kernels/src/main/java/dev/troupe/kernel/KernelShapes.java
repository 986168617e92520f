package dev.troupe.kernel;

import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The checks at the entry of every operation of {@link Kernels}: sizes and types once, with a message that has them all.
 * Behind them kernels read and write without bounds.
 */
public final class KernelShapes {
    private KernelShapes() {}

    /** @throws IllegalArgumentException if a shape or type does not fit {@link Kernels#matmul} */
    public static void requireMatmul(StackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y) {
        PackedMatrix first = w.parts().getFirst();
        boolean fits = floats(x, tokens)
                && floats(y, tokens)
                && first.firstColumn() >= 0
                && first.firstColumn() + first.columns() <= x.columns()
                && w.rows() == y.columns()
                && (bias == null || (floats(bias, 1) && bias.columns() == w.rows()));
        if (!fits) {
            throw new IllegalArgumentException(
                    "matmul: w=%s[%d, %d] from column %d, bias=%s, x=%s, tokens=%d, y=%s do not fit together"
                            .formatted(
                                    first.type().label(),
                                    w.rows(),
                                    first.columns(),
                                    first.firstColumn(),
                                    bias,
                                    x,
                                    tokens,
                                    y));
        }
    }

    /** @throws IllegalArgumentException if a shape or type does not fit {@link Kernels#matmulChunks} */
    public static void requireMatmulChunks(
            ChunkedMatrix w, List<SumTree.Node> nodes, Tensor x, int tokens, Tensor[] sums) {
        boolean fits = floats(x, tokens) && sums.length == nodes.size();
        for (int c = 0; fits && c < w.chunks().size(); c++) {
            PackedMatrix chunk = w.chunks().get(c);
            fits = chunk.firstColumn() >= 0 && chunk.firstColumn() + chunk.columns() <= x.columns();
        }
        for (int n = 0; fits && n < sums.length; n++) {
            fits = floats(sums[n], tokens) && sums[n].columns() == w.rows();
        }
        if (!fits) {
            throw new IllegalArgumentException(
                    "matmulChunks: w=%d chunks of %d rows, x=%s, tokens=%d, sums=%s do not fit together; expected %d sums"
                            .formatted(w.chunks().size(), w.rows(), x, tokens, List.of(sums), nodes.size()));
        }
    }

    /** @throws IllegalArgumentException if a shape or type does not fit {@link Kernels#embed} or an id has no row */
    public static void requireEmbed(Tensor table, TokenBatch batch, Tensor y) {
        if (!floats(y, batch.tokens()) || y.columns() != table.columns()) {
            throw new IllegalArgumentException(
                    "embed: table=%s, tokens=%d, y=%s do not fit together".formatted(table, batch.tokens(), y));
        }
        for (int t = 0; t < batch.tokens(); t++) {
            if (batch.id(t) < 0 || batch.id(t) >= table.rows()) {
                throw new IllegalArgumentException(
                        "embed: token %d has id=%d, the table has %d rows".formatted(t, batch.id(t), table.rows()));
            }
        }
    }

    /**
     * @param w the weights {@code [1, n]} of a norm, or null
     * @throws IllegalArgumentException unless x, y (and w) are f32 with equal columns and enough rows
     */
    public static void requireRows(String operation, Tensor x, @Nullable Tensor w, int tokens, Tensor y) {
        boolean fits = floats(x, tokens)
                && floats(y, tokens)
                && x.columns() == y.columns()
                && (w == null || (floats(w, 1) && w.columns() == x.columns()));
        if (!fits) {
            throw new IllegalArgumentException(
                    "%s: x=%s, w=%s, tokens=%d, y=%s do not fit together".formatted(operation, x, w, tokens, y));
        }
    }

    /** @throws IllegalArgumentException unless {@code heads} heads of {@code headDim} lie inside x's columns */
    public static void requireHeads(String operation, Tensor x, int firstColumn, int heads, int headDim, int tokens) {
        boolean fits = floats(x, tokens)
                && firstColumn >= 0
                && heads >= 0
                && headDim > 0
                && firstColumn + (long) heads * headDim <= x.columns();
        if (!fits) {
            throw new IllegalArgumentException("%s: x=%s, firstColumn=%d, heads=%d, headDim=%d, tokens=%d do not fit"
                    .formatted(operation, x, firstColumn, heads, headDim, tokens));
        }
    }

    /** @throws IllegalArgumentException if a shape does not fit {@link Kernels#rmsNormHeads} */
    public static void requireNormHeads(Tensor x, int firstColumn, int heads, Tensor w, int tokens) {
        if (!floats(w, 1)) {
            throw new IllegalArgumentException("rmsNormHeads: w=%s, expected f32 with one row".formatted(w));
        }
        requireHeads("rmsNormHeads", x, firstColumn, heads, w.columns(), tokens);
    }

    /** @throws IllegalArgumentException if a shape does not fit {@link Kernels#rope} or a position has no row */
    public static void requireRope(
            Tensor x, int firstColumn, int heads, int headDim, RopeTable table, TokenBatch batch) {
        requireHeads("rope", x, firstColumn, heads, headDim, batch.tokens());
        Tensor cosines = table.cosines();
        boolean fits = headDim % 2 == 0 && cosines.columns() == headDim / 2 && floats(cosines, 0);
        for (int t = 0; fits && t < batch.tokens(); t++) {
            fits = batch.position(t) < cosines.rows();
        }
        if (!fits || table.sines().type() != DType.F32) {
            throw new IllegalArgumentException("rope: headDim=%d, table=%s, largest position=%d do not fit together"
                    .formatted(headDim, table, largestPosition(batch)));
        }
    }

    /**
     * @param lookback how many positions before its own a token reads: 0 to store, the largest int for all
     * @return query heads that share a KV head
     * @throws IllegalArgumentException if a shape does not fit {@link Kernels#storeKv} or {@link Kernels#attention}, or a
     *     position has no block
     */
    public static int requireKv(
            String operation, KvStore store, int layer, Tensor qkv, TokenBatch batch, int lookback) {
        int heads = qkv.columns() / store.headDim() - 2 * store.kvHeads();
        boolean fits = floats(qkv, batch.tokens())
                && qkv.columns() % store.headDim() == 0
                && heads > 0
                && heads % store.kvHeads() == 0
                && layer >= 0
                && layer < store.layers();
        if (!fits) {
            throw new IllegalArgumentException(
                    "%s: qkv=%s, kvHeads=%d, headDim=%d, layer=%d of %d, tokens=%d do not fit together"
                            .formatted(
                                    operation,
                                    qkv,
                                    store.kvHeads(),
                                    store.headDim(),
                                    layer,
                                    store.layers(),
                                    batch.tokens()));
        }
        for (int first = 0; first < batch.tokens(); ) {
            int last = first;
            while (last + 1 < batch.tokens() && batch.sequence(last + 1) == batch.sequence(first)) {
                last++;
            }
            int from = Math.max(0, batch.position(first) - lookback);
            requireBlocks(operation, store, batch, batch.sequence(first), from, batch.position(last));
            first = last + 1;
        }
        return heads / store.kvHeads();
    }

    private static void requireBlocks(
            String operation, KvStore store, TokenBatch batch, int sequence, int from, int to) {
        int blockSize = store.blockSize();
        if (batch.blocks(sequence) <= to / blockSize) {
            throw new IllegalArgumentException(
                    "%s: sequence %d has a token at position %d, but only %d blocks of %d tokens"
                            .formatted(operation, sequence, to, batch.blocks(sequence), blockSize));
        }
        for (int index = from / blockSize; index <= to / blockSize; index++) {
            int block = batch.block(sequence, index * blockSize, blockSize);
            if (block < 0 || block >= store.blocks()) {
                throw new IllegalArgumentException("%s: position %d of sequence %d lies in block %d, the store has %d"
                        .formatted(operation, index * blockSize, sequence, block, store.blocks()));
            }
        }
    }

    /** @throws IllegalArgumentException if a shape does not fit {@link Kernels#swiglu} */
    public static void requireSwiglu(Tensor gateUp, int tokens, Tensor y) {
        if (!floats(gateUp, tokens) || !floats(y, tokens) || gateUp.columns() != 2L * y.columns()) {
            throw new IllegalArgumentException(
                    "swiglu: gateUp=%s, tokens=%d, y=%s do not fit together".formatted(gateUp, tokens, y));
        }
    }

    /** @throws IllegalArgumentException if row {@code row} of f32 x has not {@code k} different columns */
    public static void requireTopK(Tensor x, int row, int k) {
        if (row < 0 || !floats(x, row + 1) || k > x.columns()) {
            throw new IllegalArgumentException("topK: x=%s, row=%d, k=%d do not fit together".formatted(x, row, k));
        }
    }

    /** @throws IllegalArgumentException if a shape does not fit {@link Kernels#gatherRows} or x has not all the rows */
    public static void requireGather(Tensor x, int[] rows, Tensor y) {
        boolean fits = floats(x, 0) && floats(y, rows.length) && x.columns() == y.columns();
        for (int i = 0; fits && i < rows.length; i++) {
            fits = rows[i] >= 0 && rows[i] < x.rows();
        }
        if (!fits) {
            throw new IllegalArgumentException(
                    "gatherRows: x=%s, rows=%s, y=%s do not fit together".formatted(x, Arrays.toString(rows), y));
        }
    }

    /** @throws IllegalArgumentException unless x is f32 and has {@code tokens} rows */
    public static void requireFloats(String operation, Tensor x, int tokens) {
        if (!floats(x, tokens)) {
            throw new IllegalArgumentException(
                    "%s: x=%s, tokens=%d, expected f32 with enough rows".formatted(operation, x, tokens));
        }
    }

    private static boolean floats(Tensor tensor, int rows) {
        return tensor.type() == DType.F32 && rows >= 0 && rows <= tensor.rows();
    }

    private static int largestPosition(TokenBatch batch) {
        int largest = -1;
        for (int t = 0; t < batch.tokens(); t++) {
            largest = Math.max(largest, batch.position(t));
        }
        return largest;
    }
}
