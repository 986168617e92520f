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

/** Matrix products as plain loops: one chain for every output (NUMERICS rules 2 and 3). */
final class ReferenceProduct {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int GROUP = PackedMatrix.GROUP_ROWS;

    private ReferenceProduct() {}

    /** {@code y[r] =} the product of row r with row {@code token} of x, for all rows of w. */
    static float[] product(PackedMatrix w, Tensor x, int token) {
        float[] activations = new float[w.columns()];
        for (int k = 0; k < activations.length; k++) {
            activations[k] = x.get(token, w.firstColumn() + k);
        }
        float[] y = new float[w.rows()];
        if (w.type().quantised()) {
            RoundedActivations rounded = RoundedActivations.of(activations);
            for (int r = 0; r < y.length; r++) {
                y[r] = quantisedChain(w, r, rounded);
            }
        } else {
            for (int r = 0; r < y.length; r++) {
                y[r] = floatChain(w, r, activations);
            }
        }
        return y;
    }

    /** The sums of a node of groups, over its groups and over the chunks of each by the tree. */
    static float[] node(ChunkedMatrix w, SumTree.Node node, Tensor x, int token) {
        return groups(w, node.from(), node.to(), x, token);
    }

    private static float[] groups(ChunkedMatrix w, int from, int to, Tensor x, int token) {
        if (to - from == 1) {
            int chunk = (from - w.fromGroup()) * w.subChunks();
            return chunks(w, chunk, 0, w.subChunks(), x, token);
        }
        int middle = SumTree.split(from, to);
        return add(groups(w, from, middle, x, token), groups(w, middle, to, x, token));
    }

    private static float[] chunks(ChunkedMatrix w, int base, int from, int to, Tensor x, int token) {
        if (to - from == 1) {
            return product(w.chunks().get(base + from), x, token);
        }
        int middle = SumTree.split(from, to);
        return add(chunks(w, base, from, middle, x, token), chunks(w, base, middle, to, x, token));
    }

    private static float[] add(float[] left, float[] right) {
        for (int i = 0; i < left.length; i++) {
            left[i] = left[i] + right[i];
        }
        return left;
    }

    /** {@code acc = fma(w[r, k], x[k], acc)} over k ascending, from +0. */
    private static float floatChain(PackedMatrix w, int row, float[] x) {
        MemorySegment memory = w.memory();
        long group = row / GROUP * w.groupBytes();
        int lane = row % GROUP;
        float acc = 0f;
        for (int k = 0; k < x.length; k++) {
            float weight = switch (w.type()) {
                case F32 -> memory.get(FLOAT, group + 128L * k + 4L * lane);
                case BF16 -> bfloat(memory.get(SHORT, group + 64L * k + PackedBlocks.halfOffset(lane)));
                case F16 -> Float.float16ToFloat(memory.get(SHORT, group + 64L * k + PackedBlocks.halfOffset(lane)));
                default ->
                    throw new IllegalArgumentException(
                            "%s rounds its activations".formatted(w.type().label()));
            };
            acc = Math.fma(weight, x[k], acc);
        }
        return acc;
    }

    /**
     * {@code acc = fma((float) I, d · s, acc)} over the pieces ascending, I = Σ q_w · q_x of a piece times the integer
     * scales; then, for types with an offset, {@code acc = fma((float) M, b · s, acc)}, M = Σ q_x times the offset's.
     */
    private static float quantisedChain(PackedMatrix w, int row, RoundedActivations x) {
        ColumnPieces pieces = w.pieces();
        int group = row / GROUP;
        WeightBlock block = new WeightBlock(w.type());
        float acc = 0f;
        for (int p = 0; p < pieces.count(); p++) {
            PackedBlocks.read(w.memory(), w.scaleOffset(group, p), w.pieceOffset(group, p), row % GROUP, block);
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
