package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;

import dev.troupe.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Where the products of the operand go: chunks are added by the tree on a stack of a worker's own, sums of nodes are written. */
final class Outputs {
    private static final Tensor[] NONE = {};

    private final Operand operand;
    private Tensor[] sums = NONE;
    private @Nullable Tensor bias;
    private int firstRow;
    private int firstToken;

    Outputs(Operand operand) {
        this.operand = operand;
    }

    /**
     * @param sums one tensor {@code [tokens, rows]} for every node
     * @param bias {@code [1, rows]} or null
     * @param firstRow row of the outputs that belongs to the operand's first
     */
    void start(Tensor[] sums, @Nullable Tensor bias, int firstRow) {
        this.sums = sums;
        this.bias = bias;
        this.firstRow = firstRow;
    }

    /** What is written next belongs to tokens from {@code token} on. */
    void startAt(int token) {
        firstToken = token;
    }

    /** Lets go of the tensors. */
    void clear() {
        sums = NONE;
        bias = null;
    }

    /**
     * Adds the upper stack entries as the tree says after chunk c, whose product is entry {@code top}.
     *
     * @return where the next product goes; 0 when entry 0 is the sum of a node
     */
    int fold(int c, int top, long slots, int floats) {
        int entry = top;
        for (int merge = operand.mergesAfter(c); merge > 0; merge--) {
            long right = slots + 4L * floats * entry;
            Addition.add(right - 4L * floats, right, floats);
            entry--;
        }
        return operand.nodeEndingAt(c) >= 0 ? 0 : entry + 1;
    }

    /** Copies up to {@code count} outputs of a token from the operand's row {@code row}, never past its last. */
    void write(int c, int token, long from, int row, int count) {
        Tensor y = sums[operand.nodeEndingAt(c)];
        long to = y.address() + 4L * ((long) (firstToken + token) * y.columns() + firstRow + row);
        int end = Math.min(count, operand.rows() - row);
        if (bias == null) {
            for (int i = 0; i < end; i++) {
                ALL.set(FLOAT, to + 4L * i, ALL.get(FLOAT, from + 4L * i));
            }
            return;
        }
        long b = bias.address() + 4L * (firstRow + row);
        for (int i = 0; i < end; i++) {
            ALL.set(FLOAT, to + 4L * i, ALL.get(FLOAT, from + 4L * i) + ALL.get(FLOAT, b + 4L * i));
        }
    }
}
