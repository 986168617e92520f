package dev.troupe.kernel.reference;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.ColumnPieces;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.quantised.PackedBlocks;
import dev.troupe.kernel.quantised.WeightBlock;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Matrix products as plain loops: one chain for every output (NUMERICS rules 2 and 3); a row is read once for all tokens. */
final class ReferenceProduct {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int GROUP = PackedMatrix.GROUP_ROWS;

    private ReferenceProduct() {}

    /** {@code y[t][r] =} the product of row r with row t of x, for all rows of w and the first {@code tokens} of x. */
    static float[][] product(PackedMatrix w, Tensor x, int tokens) {
        float[][] y = new float[tokens][w.rows()];
        if (w.type().quantised()) {
            RoundedActivations[] rounded = new RoundedActivations[tokens];
            for (int t = 0; t < tokens; t++) {
                rounded[t] = RoundedActivations.of(activations(w, x, t));
            }
            WeightBlock[] row = new WeightBlock[w.pieces().count()];
            Arrays.setAll(row, _ -> new WeightBlock(w.type()));
            for (int r = 0; r < w.rows(); r++) {
                readBlocks(w, r, row);
                for (int t = 0; t < tokens; t++) {
                    y[t][r] = quantisedChain(w.pieces(), row, rounded[t]);
                }
            }
        } else {
            float[][] activations = new float[tokens][];
            Arrays.setAll(activations, t -> activations(w, x, t));
            float[] row = new float[w.columns()];
            for (int r = 0; r < w.rows(); r++) {
                readFloats(w, r, row);
                for (int t = 0; t < tokens; t++) {
                    y[t][r] = floatChain(row, activations[t]);
                }
            }
        }
        return y;
    }

    private static float[] activations(PackedMatrix w, Tensor x, int token) {
        float[] activations = new float[w.columns()];
        for (int k = 0; k < activations.length; k++) {
            activations[k] = x.get(token, w.firstColumn() + k);
        }
        return activations;
    }

    /** The sums {@code [tokens, rows]} of a node of groups, over its groups and over the chunks of each by the tree. */
    static float[][] node(ChunkedMatrix w, SumTree.Node node, Tensor x, int tokens) {
        return groups(w, node.from(), node.to(), x, tokens);
    }

    private static float[][] groups(ChunkedMatrix w, int from, int to, Tensor x, int tokens) {
        if (to - from == 1) {
            int chunk = (from - w.fromGroup()) * w.subChunks();
            return chunks(w, chunk, 0, w.subChunks(), x, tokens);
        }
        int middle = SumTree.split(from, to);
        return add(groups(w, from, middle, x, tokens), groups(w, middle, to, x, tokens));
    }

    private static float[][] chunks(ChunkedMatrix w, int base, int from, int to, Tensor x, int tokens) {
        if (to - from == 1) {
            return product(w.chunks().get(base + from), x, tokens);
        }
        int middle = SumTree.split(from, to);
        return add(chunks(w, base, from, middle, x, tokens), chunks(w, base, middle, to, x, tokens));
    }

    private static float[][] add(float[][] left, float[][] right) {
        for (int t = 0; t < left.length; t++) {
            for (int r = 0; r < left[t].length; r++) {
                left[t][r] = left[t][r] + right[t][r];
            }
        }
        return left;
    }

    private static void readFloats(PackedMatrix w, int row, float[] to) {
        MemorySegment memory = w.memory();
        long group = row / GROUP * w.groupBytes();
        int lane = row % GROUP;
        for (int k = 0; k < to.length; k++) {
            to[k] = switch (w.type()) {
                case F32 -> memory.get(FLOAT, group + 128L * k + 4L * lane);
                case BF16 -> bfloat(memory.get(SHORT, group + 64L * k + PackedBlocks.halfOffset(lane)));
                case F16 -> Float.float16ToFloat(memory.get(SHORT, group + 64L * k + PackedBlocks.halfOffset(lane)));
                default ->
                    throw new IllegalArgumentException(
                            "%s rounds its activations".formatted(w.type().label()));
            };
        }
    }

    /** {@code acc = fma(w[k], x[k], acc)} over k ascending, from +0. */
    private static float floatChain(float[] w, float[] x) {
        float acc = 0f;
        for (int k = 0; k < x.length; k++) {
            acc = Math.fma(w[k], x[k], acc);
        }
        return acc;
    }

    private static void readBlocks(PackedMatrix w, int row, WeightBlock[] to) {
        int group = row / GROUP;
        for (int p = 0; p < to.length; p++) {
            PackedBlocks.read(w.memory(), w.scaleOffset(group, p), w.pieceOffset(group, p), row % GROUP, to[p]);
        }
    }

    /**
     * {@code acc = fma((float) I, d · s, acc)} over the pieces ascending, I = Σ q_w · q_x of a piece times the integer
     * scales; then, for types with an offset, {@code acc = fma((float) M, b · s, acc)}, M = Σ q_x times the offset's.
     */
    private static float quantisedChain(ColumnPieces pieces, WeightBlock[] row, RoundedActivations x) {
        float acc = 0f;
        for (int p = 0; p < row.length; p++) {
            WeightBlock block = row[p];
            float weighted = 0f;
            float offsets = 0f;
            for (int i = 0; i < pieces.length(p); i++) {
                int column = pieces.position(p) + i;
                float q = x.values()[pieces.start(p) + i];
                weighted += block.scale(column / 16) * block.weight(column) * q;
                offsets += block.min(column / 16) * q;
            }
            float s = x.scales()[pieces.activationBlock(p)];
            acc = Math.fma(weighted, block.d() * s, acc);
            if (block.offset()) {
                acc = Math.fma(offsets, block.b() * s, acc);
            }
        }
        return acc;
    }

    static float bfloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }
}
