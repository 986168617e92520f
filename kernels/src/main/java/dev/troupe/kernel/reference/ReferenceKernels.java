package dev.troupe.kernel.reference;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.ExactMath;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The operations as plain loops on one thread: the specification (docs/numerics.md). Slow, and meant to be read. */
public final class ReferenceKernels implements Kernels {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    @Override
    public String description() {
        return "CPU, plain loops, 1 thread";
    }

    @Override
    public void matmul(StackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y) {
        KernelShapes.requireMatmul(w, bias, x, tokens, y);
        int row = 0;
        for (PackedMatrix part : w.parts()) {
            float[][] products = ReferenceProduct.product(part, x, tokens);
            for (int r = 0; r < part.rows(); r++, row++) {
                for (int t = 0; t < tokens; t++) {
                    float product = products[t][r];
                    y.set(t, row, bias == null ? product : product + bias.get(0, row));
                }
            }
        }
    }

    @Override
    public void matmulChunks(ChunkedMatrix w, Tensor x, int tokens, Tensor[] sums) {
        List<SumTree.Node> nodes = w.nodes();
        KernelShapes.requireMatmulChunks(w, nodes, x, tokens, sums);
        for (int n = 0; n < sums.length; n++) {
            float[][] sum = ReferenceProduct.node(w, nodes.get(n), x, tokens);
            for (int t = 0; t < tokens; t++) {
                for (int r = 0; r < sum[t].length; r++) {
                    sums[n].set(t, r, sum[t][r]);
                }
            }
        }
    }

    @Override
    public void embed(Tensor table, TokenBatch batch, Tensor y) {
        KernelShapes.requireEmbed(table, batch, y);
        for (int t = 0; t < batch.tokens(); t++) {
            ReferenceEmbedding.row(table, batch.id(t), y, t);
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        KernelShapes.requireRows("rmsNorm", x, w, tokens, y);
        for (int t = 0; t < tokens; t++) {
            norm(x, t, 0, w, epsilon, y);
        }
    }

    @Override
    public void addRmsNorm(Tensor residual, Tensor x, Tensor w, float epsilon, int tokens, Tensor y) {
        KernelShapes.requireRows("addRmsNorm", residual, null, tokens, x);
        KernelShapes.requireRows("addRmsNorm", residual, w, tokens, y);
        add(residual, x, tokens);
        rmsNorm(residual, w, epsilon, tokens, y);
    }

    @Override
    public void rmsNormHeads(Tensor x, int firstColumn, int heads, Tensor w, float epsilon, int tokens) {
        KernelShapes.requireNormHeads(x, firstColumn, heads, w, tokens);
        for (int t = 0; t < tokens; t++) {
            for (int h = 0; h < heads; h++) {
                norm(x, t, firstColumn + h * w.columns(), w, epsilon, x);
            }
        }
    }

    /** {@code x · (1 / √(Σ x² / n + ε)) · w}, left to right, of the n columns from {@code column}. */
    private static void norm(Tensor x, int row, int column, Tensor w, float epsilon, Tensor y) {
        int n = w.columns();
        float[] lanes = new float[LaneSum.LANES];
        for (int i = 0; i < n; i++) {
            float value = x.get(row, column + i);
            lanes[i % LaneSum.LANES] = Math.fma(value, value, lanes[i % LaneSum.LANES]);
        }
        float inverse = 1f / (float) Math.sqrt(LaneSum.tree(lanes) / n + epsilon);
        for (int i = 0; i < n; i++) {
            y.set(row, column + i, x.get(row, column + i) * inverse * w.get(0, i));
        }
    }

    @Override
    public void rope(Tensor x, int firstColumn, int heads, int headDim, RopeTable table, TokenBatch batch) {
        KernelShapes.requireRope(x, firstColumn, heads, headDim, table, batch);
        int half = headDim / 2;
        for (int t = 0; t < batch.tokens(); t++) {
            int position = batch.position(t);
            for (int h = 0; h < heads; h++) {
                int column = firstColumn + h * headDim;
                for (int i = 0; i < half; i++) {
                    float c = table.cosines().get(position, i);
                    float s = table.sines().get(position, i);
                    float x0 = x.get(t, column + i);
                    float x1 = x.get(t, column + half + i);
                    x.set(t, column + i, Math.fma(x0, c, -(x1 * s)));
                    x.set(t, column + half + i, Math.fma(x1, c, x0 * s));
                }
            }
        }
    }

    @Override
    public void storeKv(KvStore store, int layer, Tensor qkv, TokenBatch batch, TokenFlags overflowed) {
        int perGroup = KernelShapes.requireKv("storeKv", store, layer, qkv, batch, 0);
        int keys = perGroup * store.kvHeads() * store.headDim();
        int values = keys + store.kvHeads() * store.headDim();
        for (int t = 0; t < batch.tokens(); t++) {
            int slot = batch.position(t) % store.blockSize();
            int block = batch.block(batch.sequence(t), batch.position(t), store.blockSize());
            boolean finite = true;
            for (int h = 0; h < store.kvHeads(); h++) {
                for (int e = 0; e < store.headDim(); e++) {
                    int column = h * store.headDim() + e;
                    finite &= write(
                            store, store.keys(layer), store.keyOffset(block, h, e, slot), qkv.get(t, keys + column));
                    finite &= write(
                            store,
                            store.values(layer),
                            store.valueOffset(block, h, slot, e),
                            qkv.get(t, values + column));
                }
            }
            if (!finite) {
                overflowed.mark(t);
            }
        }
    }

    /** Rounds to the cache's type; what is not finite there is stored as zero, and its token fails. */
    private static boolean write(KvStore store, MemorySegment memory, long offset, float value) {
        if (store.type() == KvType.F32) {
            boolean finite = Float.isFinite(value);
            memory.set(FLOAT, offset, finite ? value : 0f);
            return finite;
        }
        short half = Float.floatToFloat16(value);
        boolean finite = (half & 0x7c00) != 0x7c00;
        memory.set(SHORT, offset, finite ? half : 0);
        return finite;
    }

    @Override
    public void attention(KvStore store, int layer, Tensor qkv, float scale, int window, TokenBatch batch, Tensor y) {
        int lookback = window == 0 ? Integer.MAX_VALUE : window - 1;
        int perGroup = KernelShapes.requireKv("attention", store, layer, qkv, batch, lookback);
        int heads = perGroup * store.kvHeads();
        int headDim = store.headDim();
        KernelShapes.requireHeads("attention", y, 0, heads, headDim, batch.tokens());
        for (int t = 0; t < batch.tokens(); t++) {
            int last = batch.position(t);
            int first = Math.max(0, last - lookback);
            for (int h = 0; h < heads; h++) {
                float[] query = new float[headDim];
                for (int e = 0; e < headDim; e++) {
                    query[e] = qkv.get(t, h * headDim + e);
                }
                new ReferenceAttention(store, layer, batch, batch.sequence(t), h / perGroup, query, scale)
                        .attend(first, last, y, t, h * headDim);
            }
        }
    }

    @Override
    public void swiglu(Tensor gateUp, int tokens, Tensor y) {
        KernelShapes.requireSwiglu(gateUp, tokens, y);
        int n = y.columns();
        for (int t = 0; t < tokens; t++) {
            for (int i = 0; i < n; i++) {
                float g = gateUp.get(t, i);
                y.set(t, i, g / (1f + ExactMath.exp(-g)) * gateUp.get(t, n + i));
            }
        }
    }

    @Override
    public void add(Tensor a, Tensor b, int tokens) {
        KernelShapes.requireRows("add", a, null, tokens, b);
        for (int t = 0; t < tokens; t++) {
            for (int i = 0; i < a.columns(); i++) {
                a.set(t, i, a.get(t, i) + b.get(t, i));
            }
        }
    }

    @Override
    public void addBias(Tensor a, Tensor bias, int tokens) {
        KernelShapes.requireRows("addBias", a, bias, tokens, a);
        for (int t = 0; t < tokens; t++) {
            for (int i = 0; i < a.columns(); i++) {
                a.set(t, i, a.get(t, i) + bias.get(0, i));
            }
        }
    }

    @Override
    public void gatherRows(Tensor x, int[] rows, Tensor y) {
        KernelShapes.requireGather(x, rows, y);
        for (int i = 0; i < rows.length; i++) {
            for (int k = 0; k < x.columns(); k++) {
                y.set(i, k, x.get(rows[i], k));
            }
        }
    }

    @Override
    public void softmax(Tensor x, int tokens, Tensor y) {
        KernelShapes.requireRows("softmax", x, null, tokens, y);
        for (int t = 0; t < tokens; t++) {
            float most = Float.NEGATIVE_INFINITY;
            for (int i = 0; i < x.columns(); i++) {
                most = Math.max(most, x.get(t, i));
            }
            float[] lanes = new float[LaneSum.LANES];
            for (int i = 0; i < x.columns(); i++) {
                float p = ExactMath.exp(x.get(t, i) - most);
                lanes[i % LaneSum.LANES] += p;
                y.set(t, i, p);
            }
            float sum = LaneSum.tree(lanes);
            for (int i = 0; i < x.columns(); i++) {
                y.set(t, i, y.get(t, i) / sum);
            }
        }
    }

    @Override
    public void argmax(Tensor x, int tokens, int[] columns) {
        KernelShapes.requireFloats("argmax", x, tokens);
        for (int t = 0; t < tokens; t++) {
            int best = 0;
            for (int i = 1; i < x.columns(); i++) {
                if (x.get(t, i) > x.get(t, best)) {
                    best = i;
                }
            }
            columns[t] = best;
        }
    }

    @Override
    public void topK(Tensor x, int row, int[] columns) {
        KernelShapes.requireTopK(x, row, columns.length);
        int kept = 0;
        for (int i = 0; i < x.columns(); i++) {
            float value = x.get(row, i);
            int at = kept;
            while (at > 0 && value > x.get(row, columns[at - 1])) {
                at--;
            }
            if (at < columns.length) {
                kept = Math.min(kept + 1, columns.length);
                System.arraycopy(columns, at, columns, at + 1, kept - at - 1);
                columns[at] = i;
            }
        }
    }

    @Override
    public void markNonFinite(Tensor x, int tokens, TokenFlags nonFinite) {
        KernelShapes.requireFloats("markNonFinite", x, tokens);
        for (int t = 0; t < tokens; t++) {
            for (int i = 0; i < x.columns(); i++) {
                if (!Float.isFinite(x.get(t, i))) {
                    nonFinite.mark(t);
                }
            }
        }
    }

    @Override
    public void close() {}
}
